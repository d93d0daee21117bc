"""Each query of examples/nexmark gives what the same SQL gives as a batch on the same events."""

import json

import nexmark
import pytest

EVENTS = 20_000


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nexmark")
    events = nexmark.make_events(folder, EVENTS)
    return events, nexmark.batch(events)


@pytest.mark.parametrize("query", nexmark.available())
def test_a_query_gives_what_the_batch_gives(given, query, tmp_path):
    events, database = given
    rows, _, difference, _ = nexmark.check(query, events, tmp_path, database)
    assert rows > 0
    assert difference is None, difference


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


def test_a_difference_is_found():
    columns, rows = ["auction", "price"], [(1, 2), (1, 2), (3, 4)]
    records = [{"auction": a, "price": p} for a, p in rows]
    assert nexmark.difference("q2", columns, rows, records) is None
    assert "1 of 3 rows are missing" in nexmark.difference("q2", columns, rows, records[1:])
    assert "1 are not in the batch" in nexmark.difference("q2", columns, rows, [*records,
                                                                               records[0]])
    changed = json.loads(json.dumps(records))
    changed[2]["price"] = 5
    assert "'price': 5" in nexmark.difference("q2", columns, rows, changed)
