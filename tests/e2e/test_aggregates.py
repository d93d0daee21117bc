"""Aggregate functions over windows, beside the same SQL in DuckDB and definitions in Python."""

import collections
import datetime
import json
import math
import random
import subprocess
import zoneinfo

import duckdb
import pytest

from millrace import PROGRAM

ROWS, SENSORS, SPAN_MS = 6000, 3, 60000

TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: aggregates}}
spec:
  sources:
    - name: readings
      type: file
      path: {folder}/readings.jsonl
      timestamp: ts
      watermark: {{max_delay: 10s}}
      schema: {{sensor: string, ts: int, i: int, x: double, z: double, name: string}}
  operators:
    - name: sums
      type: window.aggregate
      from: readings
      key: [sensor]
      window: {window}
      aggregates:
        count: count()
        with_x: count(x)
        total: sum(i)
        sum_x: sum(x)
        mean: avg(x)
        low: min(x)
        high: max(i)
        low_name: min(name)
        var: var(x)
        sd: stddev(x)
        cov: covariance(x, z)
        corr: correlation(x, z)
        first: first(name)
        last: last(i)
        at_low: argmin(name, x)
        at_high: argmax(i, z)
        names: count_distinct(name)
        distinct: count_distinct(i, 5000)
        about: approx_count_distinct(i)
        p0: quantile(odd, 0)
        p90: quantile(odd, 0.9)
        mid: median(x)
        top: top_n(i, 5)
        many: top_n(x, 50)
        some: collect(i, 4)
        often: heavy_hitters(name, 3)
        rate: rate()
  sinks:
    - {{name: out, type: file, path: {folder}/out/out.jsonl, from: sums}}
"""

EXACT = """
select sensor, {start} as start, count(*) as count, count(x) as with_x, sum(i)::bigint as total,
  min(x) as low, max(i) as high, min(name) as low_name,
  arg_min(name, ts) as first, arg_max(i, ts) as last,
  arg_min(name, x) as at_low, arg_max(i, z) as at_high,
  count(distinct name) as names, count(distinct i) as distinct, quantile_disc(z, 0) as p0,
  list(i order by i desc)[:5] as top, list(x order by x desc) [:50] as many
from rows {join} group by sensor, start
"""

NEAR = """
select sensor, {start} as start, sum(x) as sum_x, avg(x) as mean, var_samp(x) as var,
  stddev_samp(x) as sd, covar_samp(x, z) filter (x is not null) as cov,
  corr(x, z) filter (x is not null) as corr, quantile_disc(z, 0.9) as p90,
  quantile_disc(x, 0.5) as mid, count(distinct i) as about
from rows {join} group by sensor, start
"""

# How far each may be off: rounding; 0.8 % of quantiles; four standard errors of HyperLogLog.
ERRORS = collections.defaultdict(lambda: 1e-9, p90=0.008, mid=0.008, about=0.065)


def make_rows(seed):
    chance = random.Random(seed)
    rows = []
    for place in range(ROWS):
        rows.append({
            "sensor": f"s{chance.randrange(SENSORS)}",
            "ts": place * SPAN_MS // ROWS,
            "i": int(chance.gauss(0, 400)),
            "x": None if chance.random() < 0.1 else chance.lognormvariate(0, 2),
            "z": chance.gauss(5, 3),
            "name": f"name {int(60 * chance.random() ** 3):02d}",
        })
        rows[-1]["odd"] = rows[-1]["z"]
    return rows


def run(folder, rows, window):
    (folder / "out").mkdir()
    (folder / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "t.yaml"
    path.write_text(TOPOLOGY.format(folder=folder, window=window))
    done = subprocess.run([PROGRAM, "run", path, "--until-end"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stderr
    made = {}
    for part in (folder / "out").iterdir():
        for line in part.read_text().splitlines():
            record = json.loads(line)
            key = (record["sensor"], record["window_start"])
            assert key not in made
            made[key] = record
    return made


def milliseconds(text):
    if isinstance(text, (int, float)):
        return int(text)
    return int(duckdb.sql(f"select epoch_ms(timestamptz '{text}')").fetchone()[0])


@pytest.mark.parametrize(
    "window, start, join",
    [
        ("{tumbling: 10s}", "ts // 10000 * 10000", ""),
        (
            "{hopping: 12s, every: 3s}",
            "s",
            "join range(-9000, 60000, 3000) as w(s) on ts >= s and ts < s + 12000",
        ),
    ],
)
def test_windows_say_what_sql_says(window, start, join, tmp_path):
    rows = make_rows(7)
    # Rows that the last of the functions refuses leave no trace in the others.
    given = []
    for place, row in enumerate(rows):
        given.append(row)
        if place % 50 == 0:
            given.append(dict(row, odd="none", name=f"broken {place}", i=10**9 + place))
    made = {(sensor, milliseconds(at)): record
            for (sensor, at), record in run(tmp_path, given, window).items()}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    database = duckdb.connect()
    database.execute(f"create table rows as select * from read_json('{tmp_path}/rows.jsonl', "
                     "columns={sensor: 'varchar', ts: 'bigint', i: 'bigint', x: 'double', "
                     "z: 'double', name: 'varchar'})")
    for query in (EXACT, NEAR):
        found = database.execute(query.format(start=start, join=join))
        columns = [column[0] for column in found.description]
        expected = found.fetchall()
        assert len(expected) == len(made)
        for values in expected:
            wanted = dict(zip(columns, values))
            record = made[wanted.pop("sensor"), wanted.pop("start")]
            for name, value in wanted.items():
                if query is EXACT:
                    assert record[name] == value, (name, record)
                else:
                    assert math.isclose(record[name], value, rel_tol=ERRORS[name]), (
                        name, record[name], value)
    length = 10000 if "tumbling" in window else 12000
    for (sensor, at), record in made.items():
        inside = [row for row in rows if row["sensor"] == sensor and at <= row["ts"] < at + length]
        assert record["rate"] == pytest.approx(len(inside) * 1000 / length)
        assert record["some"] == [row["i"] for row in inside[:4]]
        counts = collections.Counter(row["name"] for row in inside)
        for place, entry in enumerate(record["often"]):
            assert 0 <= entry["count"] - counts[entry["value"]] <= entry["error"]
            assert entry["error"] <= len(inside) / 30
            assert entry["count"] >= counts.most_common()[place][1]


SLIDING = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: sliding}}
spec:
  sources:
    - name: readings
      type: file
      path: {folder}/readings.jsonl
      timestamp: ts
      watermark: {{max_delay: 10s}}
      schema: {{sensor: string, ts: int, i: int, x: double, z: double, name: string}}
  operators:
    - name: sums
      type: window.aggregate
      from: readings
      key: [sensor]
      window: {window}
      aggregates:
        count: count()
        with_x: count(x)
        total: sum(i)
        mean: avg(x)
        low: min(x)
        high: max(i)
        low_name: min(name)
        sd: stddev(x)
        cov: covariance(x, z)
        at_low: argmin(name, x)
  sinks:
    - {{name: out, type: file, path: {folder}/out/out.jsonl, from: sums}}
"""

SLIDING_SQL = """
select sensor, ts + 1 as window_end, count(*) over w as count, count(x) over w as with_x,
  (sum(i) over w)::bigint as total, min(x) over w as low, max(i) over w as high,
  min(name) over w as low_name, arg_min(name, x) over w as at_low, avg(x) over w as mean,
  stddev_samp(x) over w as sd, covar_samp(x, z) filter (x is not null) over w as cov
from rows window w as
  (partition by sensor order by ts range between {before} preceding and current row)
"""


@pytest.mark.parametrize("length", [1, 50, 5000, 45000])
def test_sliding_windows_say_what_sql_says(length, tmp_path):
    """One result per record, also of records that come out of order and of those that share a
    millisecond."""
    chance = random.Random(length)
    rows = [dict(row, ts=row["ts"] // 30 * 30) for row in make_rows(8)]
    arrival = sorted(rows, key=lambda row: row["ts"] + chance.randrange(8000))
    (tmp_path / "out").mkdir()
    (tmp_path / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in arrival))
    path = tmp_path / "t.yaml"
    path.write_text(SLIDING.format(folder=tmp_path, window=f"{{sliding: {length}ms}}"))
    done = subprocess.run([PROGRAM, "run", path, "--until-end"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for part in (tmp_path / "out").iterdir()
            for line in part.read_text().splitlines()]
    assert len(made) == ROWS
    database = duckdb.connect()
    database.execute(f"create table rows as select * from read_json('{tmp_path}/readings.jsonl', "
                     "columns={sensor: 'varchar', ts: 'bigint', i: 'bigint', x: 'double', "
                     "z: 'double', name: 'varchar'})")
    found = database.execute(SLIDING_SQL.format(before=length - 1))
    columns = [column[0] for column in found.description]
    place = lambda record: (record["sensor"], record["window_end"])  # noqa: E731
    wanted = sorted((dict(zip(columns, values)) for values in found.fetchall()), key=place)
    for record, values in zip(sorted(made, key=place), wanted):
        assert record["window_end"] - record["window_start"] == length
        for name, value in values.items():
            if name in ("mean", "sd", "cov") and value is not None:
                assert math.isclose(record[name], value, rel_tol=1e-9, abs_tol=1e-9), (
                    name, record, value)
            else:
                assert record[name] == value, (name, record, values)


DAYS = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: days}}
spec:
  sources:
    - name: events
      type: file
      path: {folder}/events.jsonl
      timestamp: ts
      schema: {{ts: int}}
  operators:
{operators}
  sinks:
{sinks}
"""


def midnight(zone, day):
    """A day's first millisecond, by trying: midnight may be skipped or come twice."""
    noon = datetime.datetime(day.year, day.month, day.day, 12, tzinfo=datetime.timezone.utc)
    instant = int(noon.timestamp()) - 40 * 3600
    for step in (3600, 60, 1):
        while local(zone, instant + step).date() < day:
            instant += step
    return (instant + 1) * 1000


def local(zone, seconds):
    return datetime.datetime.fromtimestamp(seconds, zone)


def test_days_are_those_of_the_calendar(tmp_path):
    """Events of the weeks around each change of the clocks, counted per day of the zone."""
    chance = random.Random(11)
    zones = ["America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "Europe/Berlin",
             "Pacific/Apia"]
    events = sorted(
        int(start.timestamp() * 1000) + chance.randrange(16 * 86400000)
        for start in (datetime.datetime(year, month, 20, tzinfo=datetime.timezone.utc)
                      for year in (1975, 1999, 2011, 2025) for month in (3, 9, 10, 12))
        for _ in range(150))
    (tmp_path / "out").mkdir()
    (tmp_path / "events.jsonl").write_text("".join(f'{{"ts": {ts}}}\n' for ts in events))
    path = tmp_path / "t.yaml"
    path.write_text(DAYS.format(
        folder=tmp_path,
        operators="\n".join(
            f"    - {{name: z{place}, type: window.aggregate, from: events, key: [], "
            f"window: {{tumbling: 1d, zone: {zone}}}, aggregates: {{events: count()}}}}"
            for place, zone in enumerate(zones)),
        sinks="\n".join(
            f"    - {{name: out{place}, type: file, from: z{place}, "
            f"path: {tmp_path}/out/{place}.jsonl}}" for place in range(len(zones)))))
    done = subprocess.run([PROGRAM, "run", path, "--until-end"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stderr
    for place, name in enumerate(zones):
        zone = zoneinfo.ZoneInfo(name)
        # Of an hour that comes twice across midnight the second time is the new day's, too.
        days = collections.Counter()
        for ts in events:
            day = local(zone, ts // 1000).date()
            after = day + datetime.timedelta(days=1)
            days[after if midnight(zone, after) <= ts else day] += 1
        wanted = {(midnight(zone, day), midnight(zone, day + datetime.timedelta(days=1))): count
                  for day, count in days.items()}
        made = {(record["window_start"], record["window_end"]): record["events"]
                for part in (tmp_path / "out").glob(f"{place}*")
                for record in map(json.loads, part.read_text().splitlines())}
        assert made == wanted, name
        assert any(end - start != 86400000 for start, end in made), name
