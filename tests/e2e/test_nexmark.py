"""Each query of examples/nexmark gives what the same SQL gives as a batch on the same events: in
one process, and on clusters of one and of four workers, where several run at once. script/nexmark
does the same with more events."""

import json
import time

import nexmark
import pytest
from nexmark_check import SHUFFLE, OnCluster, Variant, judge, load

EVENTS = 20_000
TOGETHER = 10_000  # events, where queries run at once
AT_ONCE = 7  # queries on four workers: more are too much for a small machine


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nexmark")
    events = nexmark.make_events(folder, EVENTS)
    return events, nexmark.batch(events)


@pytest.mark.parametrize("query", nexmark.QUERIES)
def test_a_query_gives_what_the_batch_gives(given, query, tmp_path):
    events, database = given
    begun_ms = time.time() * 1000
    outcome = judge(database, query, nexmark.streamed(query, events, tmp_path), begun_ms)
    assert outcome.difference is None, outcome.difference
    assert outcome.rows > 0


def test_windows_by_the_clock_are_those_of_the_clock(given, tmp_path):
    events, _ = given
    path, _, rows = nexmark.clock_test(events, tmp_path)
    assert rows > 100
    assert nexmark.run_clock_test(path) is None
    # The test can fail.
    text = path.read_text()
    path.write_text(text.replace('"bid_count": 1,', '"bid_count": 2,', 1))
    assert path.read_text() != text and "differs" in nexmark.run_clock_test(path)


def at_once(variant, part=slice(None)):
    queries = list(nexmark.QUERIES)[part]
    return pytest.param(variant, queries, id=f"{variant}, {queries[0]} to {queries[-1]}")


@pytest.mark.parametrize("variant, queries", [at_once(Variant(1)), *(
    at_once(Variant(4, SHUFFLE, True), slice(first, first + AT_ONCE))
    for first in range(0, len(nexmark.QUERIES), AT_ONCE))])
def test_clusters_give_what_the_batch_gives(kafka, unique, variant, queries, tmp_path):
    events = nexmark.make_events(tmp_path, TOGETHER, shuffle=variant.shuffle)
    database = nexmark.batch(events)
    source = kafka.create(f"{unique}-events", nexmark.PARTITIONS)
    first = TOGETHER // 2 if variant.kill else None
    load(kafka, source, events, end=first)
    begun_ms = time.time() * 1000
    with OnCluster(kafka, tmp_path, variant, unique) as cluster:
        files = cluster(queries, source, lambda: load(kafka, source, events, first), 300)
        assert ("killed" in cluster.note) == variant.kill
    found = {query: judge(database, query, files[query], begun_ms) for query in files}
    assert all(outcome.rows > 0 for outcome in found.values()), found
    different = {query: outcome.difference for query, outcome in found.items()
                 if outcome.difference is not None}
    assert not different, different


def test_the_events_are_those_of_the_benchmark(given):
    events, database = given
    counts = database.execute("select event_type, count(*) from events group by 1 order by 1")
    assert counts.fetchall() == [(0, 400), (1, 1200), (2, 18400), (3, nexmark.TICKS)]
    # Whoever sells, bids or is bid for exists, or is one of the ten that come next.
    for column, kind in (("seller", "person"), ("bidder", "person"), ("auction", "auction")):
        last = database.execute(f"select max(id) from {kind}").fetchone()[0]
        odd = database.execute(
            f"select count(*) from events where {column} < 1000 or {column} > {last} + 10")
        assert odd.fetchone() == (0,), column


def test_a_difference_is_found(given, tmp_path):
    _, database = given

    def difference(query, records):
        path = tmp_path / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return judge(database, query, path, 0).difference

    def records(sql):
        found = database.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]
    right = records(nexmark.QUERIES["q2"].sql)
    assert difference("q2", right) is None
    assert "1 of 82 rows are missing" in difference("q2", right[1:])
    assert "1 are not in the batch" in difference("q2", [*right, right[0]])
    assert "'price': -5" in difference("q2", [dict(right[0], price=-5), *right[1:]])
    assert "the fields are" in difference("q2", [dict(right[0], more=1), *right[1:]])
    assert "the fields are" in difference("q2", [dict(right[0], price="5"), *right[1:]])
    # Of updates the newest counts.
    averages = records(nexmark.QUERIES["q4"].sql)
    old = [dict(row, final=1.5) for row in averages]
    assert difference("q4", old + averages) is None
    assert "5 of 5 rows are missing" in difference("q4", averages + old)
    # By the clock.
    sums = [dict(row, starttime=0, endtime=10_000) for row in records(nexmark.QUERIES["q12"].sql)]
    assert difference("q12", sums) is None
    assert "windows told twice" in difference("q12", [*sums, sums[0]])
    assert "sums are not" in difference("q12", sums[1:])
    assert "windows that are none" in difference("q12", [dict(sums[0], endtime=1), *sums[1:]])
