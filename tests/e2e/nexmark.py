"""The Nexmark queries of examples/nexmark beside the same SQL, run as a batch by DuckDB.

Both read one file of events, made by generate.nexmark. Behind the events the file has ticks:
records a day later that no query selects. They end every window, so that a stream's results are
those of the batch. Where a query's output is a stream of updates, the last one per key counts.
"""

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
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


def available():
    """The queries that have a topology, in their order."""
    return [name for name in QUERIES if (EXAMPLES / f"{name}.yaml").exists()]


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


def expected(database, query):
    """(columns, rows) of the batch."""
    found = database.execute(QUERIES[query].sql)
    return [column[0] for column in found.description], found.fetchall()


def streamed(query, events, folder):
    """Records that the topology makes of the events, in one process on the embedded broker."""
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
    return [json.loads(line) for line in written(out)]


# ---- Comparison ----


def plain(value):
    """Numbers as both sides write them: integers where they are whole, else 12 digits."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.12g}")
    return value


def as_rows(query, columns, records):
    """The records as rows; of updates the last per key."""
    if QUERIES[query].key:
        last = {}
        for record in records:
            last[tuple(record[name] for name in QUERIES[query].key)] = record
        records = last.values()
    rows = []
    for record in records:
        if set(record) != set(columns):
            raise AssertionError(f"{query}: the fields are {sorted(record)}, shall be {columns}")
        rows.append(tuple(plain(record[name]) for name in columns))
    return rows


def difference(query, columns, rows, records):
    """None when both are the same multiset, else a sentence with the first difference."""
    want = Counter(tuple(plain(value) for value in row) for row in rows)
    have = Counter(as_rows(query, columns, records))
    if want == have:
        return None
    missing, more = want - have, have - want
    text = (f"{sum(missing.values())} of {sum(want.values())} rows are missing,"
            f" {sum(more.values())} are not in the batch")
    for name, rows_ in (("missing", missing), ("too much", more)):
        if rows_:
            text += f"\n  {name}: {dict(zip(columns, min(rows_, key=repr)))}"
    return text


def check(query, events, folder, database, run=streamed):
    """(rows of the batch, records of the stream, difference, seconds of the stream)."""
    columns, rows = expected(database, query)
    start = time.monotonic()
    records = run(query, events, folder)
    seconds = time.monotonic() - start
    return len(rows), len(records), difference(query, columns, rows, records), seconds
