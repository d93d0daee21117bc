"""Synthetic records on request over a real Kafka: processes killed with -9 while they answer, large
requests, errors and several reply topics; each is answered once, and the bytes are those of a calm
run with another number of threads."""

import json
import random
import time
from collections import defaultdict

import pytest

SEGMENTS, ROWS, REQUESTS, PARTITIONS = 8, 1024, 60, 4
TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: people}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: people, type: kafka, topic: {name}-people, key: [segment]}}
    - {{name: asked, type: kafka, topic: {name}-asked, key: [segment]}}
  operators:
    - name: twin
      type: generate.copula
      learn: people
      requests: asked
      key: [segment]
      fields: [age, region, fraud]
      ratio: 0
      reply_topics: ['{name}-for-*']
  sinks:
    - name: answers
      type: kafka
      from: twin.replies
      topic_from: 'has(record.reply_topic) ? reply_topic : "{name}-answers-{run}"'
      topic_allow: ['{name}-answers-{run}', '{name}-for-*']
      key: [request_id]
"""


def people():
    chance = random.Random(5)
    for number in range(SEGMENTS * ROWS):
        segment = f"s{number % SEGMENTS}"
        age = round(chance.gauss(40 + 3 * (number % SEGMENTS), 9))
        region = "West" if age > 40 and chance.random() < 0.8 else chance.choice(["East", "North"])
        row = {"segment": segment, "age": age, "region": region, "fraud": chance.random() < 0.05}
        yield segment.encode(), json.dumps(row).encode(), 1_700_000_000_000 + number


def requests():
    """Each with what is to be said of it: how many records, or a code."""
    chance = random.Random(6)
    for number in range(REQUESTS):
        segment = f"s{number % SEGMENTS}"
        asked = {"action": "generate", "segment": segment, "request_id": f"r{number}"}
        count = chance.choice([1, 7, 100, 3000])
        said = count
        if number % 20 == 3:
            count = said = 100000  # over several transactions
        asked["count" if number % 3 == 0 else "n_samples"] = count
        if number % 4 == 1:
            asked["conditions"] = {"age": {"gte": 30, "lt": 50}, "region": "West"}
        if number % 5 == 2:
            asked["batch_size"] = 64
        if number % 10 == 4:
            asked["conditions"], said = {"age": {"gte": 1000}}, "impossible"
        if number % 10 == 5:
            asked["action"], said = "dance", "bad_request"
        if number % 10 == 6:
            asked["reply_topic"], said = "elsewhere", "reply_topic_refused"
        if number % 10 == 7:
            asked["segment"], said = "nobody", "not_ready"
        if number % 20 == 9:
            asked["segment"], said = None, "bad_request"
        yield asked, said


def by_request(kafka, topics):
    """Replies in order, by request, as bytes."""
    found = defaultdict(list)
    for topic in topics:
        for messages in kafka.read(topic).values():
            for message in messages:
                found[json.loads(message.value())["request_id"]].append(message.value())
    return found


def check(asked, said, replies):
    rows, last = [json.loads(one) for one in replies[:-1]], json.loads(replies[-1])
    if isinstance(said, str):
        assert not rows and (last["status"], last["code"]) == ("error", said), last
        return
    size = asked.get("batch_size", 100)
    assert len(rows) == said, (asked, len(rows))
    assert last["status"] == last["action"] == "complete"
    assert (last["n_samples"], last["n_batches"]) == (said, (said + size - 1) // size)
    for number, row in enumerate(rows):
        assert "status" not in row and row["segment"] == asked["segment"]
        assert row["_batch_id"] == f"batch-{number // size + 1:03d}"
        assert row["model_version"] == ROWS // 256
        assert row["_generated_at"] == "2023-11-15T00:00:00Z"
        if "conditions" in asked:
            assert 30 <= row["age"] < 50 and row["region"] == "West"


@pytest.fixture
def asked(kafka, unique):
    """Topics with people and requests; their name, and what was asked."""
    for topic in ("people", "asked"):
        kafka.create(f"{unique}-{topic}", PARTITIONS)
    kafka.create(f"{unique}-for-me", 1)
    kafka.produce(f"{unique}-people", people())
    return unique, list(requests())


def learned(kafka, asked, runs, tmp_path, run, threads):
    """A cluster that has learned all people; its topology's file and the words of a run."""
    name, _ = asked
    kafka.create(f"{name}-answers-{run}", 1)
    path = tmp_path / f"{run}.yaml"
    path.write_text(TOPOLOGY.format(name=name, run=run))
    words = {"brokers": kafka.brokers, "cluster": f"{name}-{run}", "threads": threads,
             "state": tmp_path / run}
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log
    return path, words


def ask(kafka, name, wanted):
    midnight = 1_700_006_400_000
    kafka.produce(f"{name}-asked", [
        ((one["segment"] or "none").encode(), json.dumps(one).encode(), midnight)
        for one, _ in wanted])


def test_each_request_is_answered_once(kafka, asked, runs, tmp_path):
    name, wanted = asked
    killed = learned(kafka, asked, runs, tmp_path, "killed", 4)
    calm = learned(kafka, asked, runs, tmp_path, "calm", 1)
    ask(kafka, name, wanted)
    chance = random.Random(7)
    path, words = killed
    answers = f"{name}-answers-killed"
    seen = set()
    for _ in range(6):
        before = sum(kafka.ends(answers, committed=False).values())
        run = runs(path, **words)
        deadline = time.time() + 20
        while sum(kafka.ends(answers, committed=False).values()) == before:
            if len(seen) > 1 and time.time() > deadline - 15:
                break  # all is answered
            assert time.time() < deadline and run.alive(), "nothing is answered"
            time.sleep(0.005)
        time.sleep(chance.random() * 0.2)
        run.kill()
        seen.add(sum(kafka.ends(answers).values()))
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log
    path, words = calm
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log
    assert len(seen) >= 3, f"the kills came too late: {seen}"
    found = by_request(kafka, [answers])
    same = by_request(kafka, [f"{name}-answers-calm"])
    assert set(found) == {one["request_id"] for one, _ in wanted}
    for one, said in wanted:
        check(one, said, found[one["request_id"]])
        assert found[one["request_id"]] == same[one["request_id"]]


def test_replies_go_where_the_request_says(kafka, asked, runs, tmp_path):
    name, _ = asked
    path, words = learned(kafka, asked, runs, tmp_path, "one", 2)
    for number in range(6):
        one = {"action": "generate", "segment": "s1", "count": 5, "request_id": number}
        if number % 2 == 1:
            one["reply_topic"] = f"{name}-for-me"
        kafka.produce(f"{name}-asked", [(b"s1", json.dumps(one).encode())])
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log
    here = by_request(kafka, [f"{name}-answers-one"])
    there = by_request(kafka, [f"{name}-for-me"])
    assert set(here) == {0, 2, 4} and set(there) == {1, 3, 5}
    assert all(len(replies) == 6 for replies in [*here.values(), *there.values()])


def test_a_clocked_generator_is_killed(kafka, unique, runs, tmp_path):
    """Fitted from a topic, then so many records in batches: none is lost, none comes twice."""
    total, size = 400_000, 1000
    kafka.create(f"{unique}-people", PARTITIONS)
    kafka.create(f"{unique}-made", 1)
    kafka.produce(f"{unique}-people", people())
    path = tmp_path / "clock.yaml"
    path.write_text(f"""
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: clock}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: people, type: kafka, topic: {unique}-people}}
  operators:
    - name: twin
      type: generate.copula
      learn: people
      key: []
      fields: [age, region, fraud]
      fit: {{timeout: 60s, max_records: 1000}}
      max_records: {total}
      batch_size: {size}
      delay: 20ms              # at least 8 s in all, so that each kill comes before the end
  sinks:
    - {{name: made, type: kafka, from: twin, topic: {unique}-made}}
""")
    words = {"brokers": kafka.brokers, "cluster": unique, "state": tmp_path / "state"}
    seen = set()
    for _ in range(3):
        before = sum(kafka.ends(f"{unique}-made", committed=False).values())
        run = runs(path, **words)
        deadline = time.time() + 60
        while sum(kafka.ends(f"{unique}-made", committed=False).values()) == before:
            assert time.time() < deadline and run.alive(), f"nothing is made after {before}"
            time.sleep(0.005)
        time.sleep(0.2)
        run.kill()
        seen.add(sum(kafka.ends(f"{unique}-made").values()))
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log
    assert len(seen) >= 2, f"the kills came too late: {seen}"
    rows = [json.loads(one) for one in kafka.values(f"{unique}-made")]
    assert len(rows) == total
    for number, row in enumerate(rows):
        assert row["_batch_id"] == f"batch-{number // size + 1:03d}"
    times = [row["_generated_at"] for row in rows[::size]]
    assert all(row["_generated_at"] == times[n // size] for n, row in enumerate(rows))
