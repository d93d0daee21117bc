"""The Nexmark queries of examples/nexmark beside the same SQL, run as a batch by DuckDB.

Both read one file of events, made by generate.nexmark. Behind the events the file has ticks:
records a day later that no query selects. They end every window, so that a stream's results are
those of the batch. Where a query's output is a stream of updates, the last one per key counts.
q12 counts by the clock: of a run its windows are checked and its sums, and a test for
`millrace test`, whose clock is the test's, is made of the events with what the batch gives.
"""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from millrace import PROGRAM, ROOT

EXAMPLES = ROOT / "examples" / "nexmark"
PARTITIONS = 4
TICKS = 64  # of random partitions: each gets some
TICK_AHEAD_MS = 86_400_000

COLUMNS = {
    "event_type": "BIGINT", "id": "BIGINT", "name": "VARCHAR", "emailAddress": "VARCHAR",
    "creditCard": "VARCHAR", "city": "VARCHAR", "state": "VARCHAR", "itemName": "VARCHAR",
    "description": "VARCHAR", "initialBid": "BIGINT", "reserve": "BIGINT", "expires": "BIGINT",
    "seller": "BIGINT", "category": "BIGINT", "auction": "BIGINT", "bidder": "BIGINT",
    "price": "BIGINT", "channel": "VARCHAR", "url": "VARCHAR", "dateTime": "BIGINT",
    "extra": "VARCHAR",
}

VIEWS = """
create view person as
    select id, name, emailAddress, creditCard, city, state, dateTime, extra
    from events where event_type = 0;
create view auction as
    select id, itemName, description, initialBid, reserve, dateTime, expires, seller, category,
        extra
    from events where event_type = 1;
create view bid as
    select auction, bidder, price, channel, url, dateTime, extra from events where event_type = 2;
"""

DAY = "strftime(epoch_ms(dateTime), '%Y-%m-%d')"
PRICES = {"total": "true", "rank1": "price < 10000", "rank2": "price between 10000 and 999999",
          "rank3": "price >= 1000000"}


def counted(what, names):
    """One count per range of prices: of rows, or of distinct values."""
    return ", ".join(f"count({what}) filter (where {condition}) as {name}_{names}"
                     for name, condition in PRICES.items())


BIDS = counted("*", "bids")
COUNTS = ", ".join((BIDS, counted("distinct bidder", "bidders"),
                    counted("distinct auction", "auctions")))


@dataclass
class Query:
    """sql: what a batch gives. key: of an output of updates, the columns that name a result."""

    sql: str
    key: list = field(default_factory=list)


QUERIES = {
    "q0": Query("select auction, bidder, price, dateTime, extra from bid"),
    "q1": Query(
        "select auction, bidder, 0.908::double * price as price, dateTime, extra from bid"
    ),
    "q2": Query("select auction, price from bid where auction % 123 = 0"),
    "q3": Query("""
        select p.name, p.city, p.state, a.id
        from auction a join person p on a.seller = p.id
        where a.category = 10 and p.state in ('OR', 'ID', 'CA')"""),
    "q4": Query("""
        select category, avg(final) as final from (
            select max(b.price) as final, a.category
            from auction a join bid b on a.id = b.auction
            where b.dateTime between a.dateTime and a.expires group by a.id, a.category)
        group by category""", ["category"]),
    "q5": Query("""
        with counts as (
            select auction, count(*) as num, epoch_hop.hop_start as window_start,
                epoch_hop.hop_start + 10000 as window_end
            from bid, lateral (select unnest([dateTime - dateTime % 2000 - 2000 * i
                for i in range(5)]) as hop_start) as epoch_hop
            group by auction, hop_start)
        select auction, num, window_start, window_end from counts c
        where num = (select max(num) from counts m where m.window_start = c.window_start)"""),
    "q7": Query("""
        select b.auction, b.price, b.bidder, b.dateTime, b.extra from bid b
        join (select max(price) as price, dateTime - dateTime % 10000 as window_start
              from bid group by window_start) m
        on b.price = m.price and b.dateTime - b.dateTime % 10000 = m.window_start"""),
    "q8": Query("""
        select p.id, p.name, p.dateTime - p.dateTime % 10000 as stime from person p
        where exists (select 1 from auction a where a.seller = p.id
            and a.dateTime - a.dateTime % 10000 = p.dateTime - p.dateTime % 10000)"""),
    "q9": Query("""
        select * exclude (place) from (
            select a.*, b.auction, b.bidder, b.price, b.dateTime as bid_dateTime,
                b.extra as bid_extra, row_number() over (
                    partition by a.id order by b.price desc, b.dateTime) as place
            from auction a join bid b on a.id = b.auction
            where b.dateTime between a.dateTime and a.expires)
        where place = 1"""),
    "q11": Query("""
        select bidder, count(*) as bid_count, min(dateTime) as starttime,
            max(dateTime) + 10000 as endtime
        from (select *, sum(begins) over (partition by bidder order by dateTime) as session
              from (select bidder, dateTime, case when dateTime - lag(dateTime) over (
                        partition by bidder order by dateTime) < 10000 then 0 else 1 end as begins
                    from bid))
        group by bidder, session"""),
    "q12": Query("select bidder, count(*) as bid_count from bid group by bidder"),
    "q13": Query(f"""
        select auction, bidder, price, dateTime, side.value as value
        from bid join read_csv('{EXAMPLES}/side-input.csv', header=false,
            columns={{'number': 'BIGINT', 'value': 'VARCHAR'}}) side
        on auction % 10000 = side.number"""),
    "q14": Query("""
        select auction, bidder, 0.908::double * price as price,
            case when hour(epoch_ms(dateTime)) between 8 and 18 then 'dayTime'
                when hour(epoch_ms(dateTime)) <= 6 or hour(epoch_ms(dateTime)) >= 20
                then 'nightTime' else 'otherTime' end as bidTimeType,
            dateTime, extra, length(extra) - length(replace(extra, 'c', '')) as c_counts
        from bid where 0.908::double * price > 1e6 and 0.908::double * price < 5e7"""),
    "q15": Query(f"select {DAY} as day, {COUNTS} from bid group by day", ["day"]),
    "q16": Query(f"""
        select channel, {DAY} as day, max(strftime(epoch_ms(dateTime), '%H:%M')) as minute, {COUNTS}
        from bid group by channel, day""", ["channel", "day"]),
    "q17": Query(f"""
        select auction, {DAY} as day, {BIDS}, min(price) as min_price, max(price) as max_price,
            avg(price) as avg_price, sum(price)::bigint as sum_price
        from bid group by auction, day""", ["auction", "day"]),
    "q18": Query("""
        select * exclude (place) from (
            select *, row_number() over (
                partition by bidder, auction order by dateTime desc) as place from bid)
        where place = 1""", ["bidder", "auction"]),
    "q19": Query("""
        select * from (
            select *, row_number() over (
                partition by auction order by price desc, dateTime) as rank_number from bid)
        where rank_number <= 10""", ["auction", "rank_number"]),
    "q20": Query("""
        select b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime as bid_dateTime,
            b.extra as bid_extra, a.itemName, a.description, a.initialBid, a.reserve,
            a.dateTime as auction_dateTime, a.expires, a.seller, a.category,
            a.extra as auction_extra
        from bid b join auction a on b.auction = a.id where a.category = 10"""),
    "q21": Query("""
        select * from (
            select auction, bidder, price, channel,
                case lower(channel) when 'apple' then '0' when 'google' then '1'
                    when 'facebook' then '2' when 'baidu' then '3'
                    else nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '')
                    end as channel_id
            from bid)
        where channel_id is not null"""),
    "q22": Query("""
        select auction, bidder, price, channel, split_part(url, '/', 4) as dir1,
            split_part(url, '/', 5) as dir2, split_part(url, '/', 6) as dir3
        from bid"""),
}



# ---- Events ----


def topology(path, name, source, sink):
    path.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  sources: [{{name: given, {source}}}]
  sinks: [{{name: taken, from: given, {sink}}}]
""")
    return path


def millrace_run(*files, environment=None, timeout=600):
    result = subprocess.run(
        [str(PROGRAM), "run", *map(str, files), "--until-end"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, cwd=ROOT,
        env=dict(os.environ, **(environment or {})))
    if result.returncode != 0:
        raise RuntimeError(f"millrace run ended with {result.returncode}:\n{result.stderr[-4000:]}")
    if "could not be processed" in result.stderr:
        raise RuntimeError(result.stderr[-4000:])
    return result


def written(folder):
    """Lines of a file sink, file by file: a partition's in order."""
    return [line for path in sorted(Path(folder).glob("*.jsonl"))
            for line in path.read_text().splitlines()]


def make_events(folder, count, seed=1, event_rate=1000, shuffle=1):
    """A file of `count` events and the ticks behind them. At 1,000 events per second of event time
    no two events have the same time, and no rank has two orders."""
    out = Path(folder) / "generated"
    out.mkdir(parents=True)
    millrace_run(topology(
        Path(folder) / "generate.yaml", "nexmark-generate",
        f"type: generate.nexmark, count: {count}, seed: {seed}, event_rate: {event_rate}/s,"
        f" shuffle: {shuffle}",
        f"type: file, path: {out}/events.jsonl"))
    lines = written(out)
    end = max(json.loads(line)["dateTime"] for line in lines[-max(shuffle, 1):])
    lines += [json.dumps({"event_type": 3, "dateTime": end + TICK_AHEAD_MS, "extra": f"tick-{i}"},
                         separators=(",", ":")) for i in range(TICKS)]
    path = Path(folder) / "events.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    return path


# ---- Two ways to run a query ----


def batch(events):
    """DuckDB with the events loaded."""
    import duckdb

    database = duckdb.connect()
    columns = ", ".join(f"{name}: '{type_}'" for name, type_ in COLUMNS.items())
    database.execute(f"create table events as select * from read_json('{events}',"
                     f" format='newline_delimited', columns={{{columns}}})")
    database.execute(VIEWS)
    return database


def streamed(query, events, folder):
    """A file of the records that the topology makes of the events, in one process on the embedded
    broker; a partition's in order."""
    folder = Path(folder) / query
    out = folder / "out"
    out.mkdir(parents=True)
    feed = topology(folder / "feed.yaml", "nexmark-feed", f"type: file, path: {events}",
                    f"type: kafka, topic: nexmark, key: [extra], create_topic: {{partitions: "
                    f"{PARTITIONS}}}")
    collect = topology(folder / "collect.yaml", "nexmark-collect",
                       f"type: kafka, topic: nexmark-{query}, format: bytes",
                       f"type: file, path: {out}/results.jsonl, format: bytes")
    millrace_run(feed, EXAMPLES / f"{query}.yaml", collect)
    results = folder / "results.jsonl"
    with open(results, "wb") as file:
        for part in sorted(out.glob("*.jsonl")):
            file.write(part.read_bytes())
    return results


# ---- Comparison ----
# In SQL, since millions of rows are. Doubles count as equal in 12 digits.

KINDS = {"VARCHAR": {"VARCHAR"}, "DOUBLE": {"UBIGINT", "BIGINT", "DOUBLE"},
         "BIGINT": {"UBIGINT", "BIGINT"}}


@dataclass
class Outcome:
    rows: int  # of the batch
    records: int  # of the stream
    difference: str = None  # None: equal


def make_wanted(database, query):
    """The batch's result as the table want_QUERY, once. Its columns with their types."""
    name = f"want_{query}"
    database.execute(f"create table if not exists {name} as {QUERIES[query].sql}")
    columns = dict(row[:2] for row in database.execute(f"describe {name}").fetchall())
    return name, {column: "DOUBLE" if kind == "DOUBLE" else "VARCHAR" if kind == "VARCHAR"
                  else "BIGINT" for column, kind in columns.items()}


def load_told(database, path, columns):
    """The stream's records as the table told; a sentence when they have other fields."""
    for (text,) in database.execute("select distinct json_structure(json) from"
                                    f" read_ndjson_objects('{path}')").fetchall():
        fields = json.loads(text)
        wrong = [name for name in columns.keys() | fields.keys() if name not in columns
                 or fields.get(name) not in KINDS[columns[name]]]
        if wrong:
            return (f"{', '.join(sorted(wrong))}: the fields are {text}, shall be"
                    f" {json.dumps(columns)}")
    database.execute(f"create or replace temp table told as from read_json('{path}',"
                     f" format='newline_delimited', columns={json.dumps(columns)})")
    return None


def cells(columns):
    """What is compared of each column."""
    return ", ".join(f"printf('%.12g', {name}) as {name}" if kind == "DOUBLE" else
                     f"cast({name} as {kind}) as {name}" for name, kind in columns.items())


def sample(database, table, columns):
    """How many rows there are, and the first ones."""
    count = database.execute(f"select count(*) from {table}").fetchone()[0]
    rows = database.execute(f"select * from {table} order by all limit 3").fetchall()
    return count, [str(dict(zip(columns, row))) for row in rows]


def compare(database, query, path):
    """Whether the records of a stream's file are the rows of the batch, as multisets."""
    want, columns = make_wanted(database, query)
    total = database.execute(f"select count(*) from {want}").fetchone()[0]
    odd = load_told(database, path, columns)
    if odd is not None:
        return Outcome(total, 0, odd)
    told = database.execute("select count(*) from told").fetchone()[0]
    newest = ""
    if QUERIES[query].key:
        newest = (f" qualify row_number() over (partition by {', '.join(QUERIES[query].key)}"
                  " order by place desc) = 1")
    names = ", ".join(columns)
    database.execute(f"""
        create or replace temp table wanted as select {cells(columns)} from {want};
        create or replace temp table found as select {names} from (
            select {cells(columns)}, rowid as place from told{newest});
        create or replace temp table missing as from wanted except all from found;
        create or replace temp table more as from found except all from wanted;""")
    (missing, first), (more, others) = (sample(database, table, columns)
                                        for table in ("missing", "more"))
    if missing == 0 and more == 0:
        return Outcome(total, told)
    return Outcome(total, told, "\n  ".join(
        [f"{missing} of {total} rows are missing, {more} are not in the batch",
         *(f"missing: {row}" for row in first), *(f"too much: {row}" for row in others)]))


# ---- q12: by the clock ----

WINDOW_MS = 10_000


def compare_by_the_clock(database, path, begun_ms, ended_ms):
    """A bidder's windows are 10 s of the clock while it ran, each is told once, and together they
    count every bid once."""
    want, columns = make_wanted(database, "q12")
    total = database.execute(f"select count(*) from {want}").fetchone()[0]
    odd = load_told(database, path, columns | {"starttime": "BIGINT", "endtime": "BIGINT"})
    if odd is not None:
        return Outcome(total, 0, odd)
    told = database.execute("select count(*) from told").fetchone()[0]
    for what, rows in (
        ("windows that are none", f"""from told where starttime % {WINDOW_MS} <> 0
            or endtime <> starttime + {WINDOW_MS} or bid_count < 1"""),
        ("windows of another time", f"""from told where endtime <= {begun_ms}
            or starttime > {ended_ms}"""),
        ("windows told twice", """select bidder, starttime, count(*) from told
            group by all having count(*) > 1"""),
        ("bidders whose sums are not the batch's", f"""from {want} full join (
            select bidder, sum(bid_count) as counted from told group by bidder) using (bidder)
            where counted is distinct from bid_count"""),
    ):
        wrong = database.execute(rows).fetchall()
        if wrong:
            return Outcome(total, told, f"{len(wrong)} {what}, first {sorted(wrong, key=str)[:3]}")
    return Outcome(total, told)


def clock_test(events, folder, limit=8_000, run=97, step_ms=700):
    """q12 with a test of its own: so many events, some at a time, between them the clock moves.
    Returns the file; the numbers of events, and of results that the test expects."""
    now = 4_000_000_003_000  # not where a window begins
    steps, counts = [], Counter()
    clock = datetime.fromtimestamp(now / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open(events) as lines:
        chosen = [line.rstrip("\n") for _, line in zip(range(limit), lines)]
    for first in range(0, len(chosen), run):
        part = chosen[first:first + run]
        counts.update((event["bidder"], now - now % WINDOW_MS) for event in map(json.loads, part)
                      if event["event_type"] == 2)
        steps += [{"given": {"events": [{"payload": line} for line in part]}},
                  {"advance": f"{step_ms}ms"}]
        now += step_ms
    expected = [{"bidder": bidder, "bid_count": count, "starttime": start,
                 "endtime": start + WINDOW_MS} for (bidder, start), count in counts.items()]
    steps += [{"advance": "10s"}]
    test = {"name": "as the batch", "clock": clock, "steps": steps,
            "expect": {"results": {"records": expected}}}
    text = (EXAMPLES / "q12.yaml").read_text()
    path = Path(folder) / "q12-by-the-clock.yaml"
    path.write_text(text[:text.index("  tests:")] + "  tests:\n    - " + json.dumps(test) + "\n")
    return path, len(chosen), len(expected)


def run_clock_test(path):
    """None, or what `millrace test` says."""
    result = subprocess.run([str(PROGRAM), "test", str(path)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=600, cwd=ROOT)
    return None if result.returncode == 0 else (result.stdout + result.stderr)[:4000]
