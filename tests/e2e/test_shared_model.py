"""One model of a stream's learners, shared by topic, over a real Kafka: tasks learn partitions,
a merger publishes, another topology answers requests from what is published, and both are killed
with -9 again and again. Each request is answered once, versions only rise, and the last model is
the one of a calm run."""

import json
import random
import time

import pytest

ROWS, REQUESTS, PARTITIONS, ROUNDS = 16384, 42, 4, 3
LEARNERS = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: learners}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: people, type: kafka, topic: {name}-people}}
  operators:
    - name: learned
      type: generate.copula
      learn: people
      key: []
      scope: partition
      fields: [age, region, fraud]
      ratio: 0
      publish: {{every: 100ms}}
    - name: merged
      type: model.merge
      from: learned.models
      key: []
      fields: [age, region, fraud]
      publish: {{every: 100ms}}
  sinks:
    - {{name: model, type: kafka, from: merged, topic: {name}-model-{run}, key: [name]}}
"""
FOLLOWER = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: follower}}
spec:
  commit_interval: 50ms
  sources:
    - {{name: published, type: kafka, topic: {name}-model-killed, key: [name]}}
    - {{name: asked, type: kafka, topic: {name}-asked}}
  operators:
    - name: people
      type: generate.model
      models: published
      requests: asked
      key: []
      fields: [age, region, fraud]
  sinks:
    - {{name: answers, type: kafka, from: people.replies, topic: {name}-answers, key: [request_id]}}
"""


def people():
    chance = random.Random(5)
    for number in range(ROWS):
        age = round(chance.gauss(40, 9))
        region = "West" if age > 40 and chance.random() < 0.8 else chance.choice(["East", "North"])
        row = {"age": age, "region": region, "fraud": chance.random() < 0.05}
        yield f"{number}".encode(), json.dumps(row).encode(), 1_700_000_000_000 + number


def models(kafka, topic):
    return [json.loads(message.value()) for messages in kafka.read(topic).values()
            for message in messages]


@pytest.fixture
def stage(kafka, unique, tmp_path):
    """Topics, and topologies by name: (path, words of a run)."""
    kafka.create(f"{unique}-people", PARTITIONS)
    kafka.create(f"{unique}-asked", PARTITIONS)
    kafka.create(f"{unique}-answers", 1)
    found = {}
    for run, threads in (("killed", 2), ("calm", 1)):
        kafka.create(f"{unique}-model-{run}", 1, **{"cleanup.policy": "compact"})
        found[run] = LEARNERS.format(name=unique, run=run), threads
    found["follower"] = FOLLOWER.format(name=unique), 2
    for run, (text, threads) in found.items():
        path = tmp_path / f"{run}.yaml"
        path.write_text(text)
        words = {"brokers": kafka.brokers, "cluster": f"{unique}-{run}", "threads": threads,
                 "state": tmp_path / run}
        found[run] = path, words
    return unique, found


def finish(runs, topology):
    path, words = topology
    code, _, log = runs(path, until_end=True, **words).wait()
    assert code == 0, log


def check_answers(kafka, name):
    rows, replies, version = {}, {}, 0
    for messages in kafka.read(f"{name}-answers").values():
        for message in messages:
            one = json.loads(message.value())
            assert one["model_version"] >= version, "a version went back"
            version = one["model_version"]
            asked = one["request_id"]
            if one.get("status") is None:
                rows.setdefault(asked, []).append(one)
                assert asked not in replies, "a record behind its request's end"
                assert one["region"] in ("West", "East", "North")
                continue
            assert one["status"] == "complete" and asked not in replies, one
            replies[asked] = one
    assert set(replies) == {f"r{number}" for number in range(REQUESTS)}
    for asked, reply in replies.items():
        wanted = 20000 if int(asked[1:]) % 10 == 3 else 50
        assert len(rows[asked]) == reply["n_samples"] == wanted
        assert [row["_batch_id"] for row in rows[asked]] == [
            f"batch-{number // 100 + 1:03d}" for number in range(wanted)]
    return version


def test_a_shared_model_survives_kills(kafka, stage, runs):
    name, topologies = stage
    records, chance = list(people()), random.Random(7)
    share = ROWS // (ROUNDS + 1)
    kafka.produce(f"{name}-people", records[:share])
    finish(runs, topologies["killed"])
    finish(runs, topologies["follower"])  # has its first model
    told = {models(kafka, f"{name}-model-killed")[-1]["version"]}
    for number in range(ROUNDS):
        kafka.produce(f"{name}-people", records[(number + 1) * share:(number + 2) * share])
        asked = range(number * REQUESTS // ROUNDS, (number + 1) * REQUESTS // ROUNDS)
        kafka.produce(f"{name}-asked", [
            (b"%d" % one, json.dumps({"action": "generate", "request_id": f"r{one}", "n_samples":
             20000 if one % 10 == 3 else 50}).encode(), 1_700_006_400_000) for one in asked])
        running = [runs(path, **words) for path, words in
                   (topologies["killed"], topologies["follower"])]
        watched = f"{name}-answers" if number == 1 else f"{name}-model-killed"
        before = sum(kafka.ends(watched, committed=False).values())
        deadline = time.time() + 60
        while sum(kafka.ends(watched, committed=False).values()) == before:
            assert time.time() < deadline and all(run.alive() for run in running)
            time.sleep(0.005)
        time.sleep(chance.random() * 0.5)
        for run in chance.sample(running, 2):
            run.kill()
        told.add(models(kafka, f"{name}-model-killed")[-1]["version"])
    kafka.produce(f"{name}-people", records[(ROUNDS + 1) * share:])
    finish(runs, topologies["killed"])
    finish(runs, topologies["follower"])
    kept = models(kafka, f"{name}-model-killed")
    versions = [one["version"] for one in kept]
    assert versions == sorted(set(versions)), "a version went back, or came twice"
    assert len(told) >= 2, f"the kills came too late: {told}"
    finish(runs, topologies["calm"])
    calm = models(kafka, f"{name}-model-calm")[-1]
    assert kept[-1] == calm
    assert calm["learners"] == PARTITIONS
    assert ROWS - 256 * PARTITIONS < calm["rows"] <= ROWS
    assert check_answers(kafka, name) <= calm["version"]


def test_a_bad_model_is_an_offender_and_harms_nothing(kafka, stage, runs):
    name, topologies = stage
    kafka.produce(f"{name}-people", people())
    finish(runs, topologies["killed"])
    finish(runs, topologies["follower"])
    good = models(kafka, f"{name}-model-killed")[-1]
    worse = json.loads(json.dumps(good))
    worse["model"]["fields"][0]["bins"][0][2] = -1
    other = json.loads(json.dumps(good))
    other["model"]["fields"][0]["name"] = "wage"
    for bad in (b"no json", b"{}", b'{"model": 7}', json.dumps(worse).encode(),
                json.dumps(other).encode()):
        kafka.produce(f"{name}-model-killed", [(good["name"].encode(), bad)], partitions=1)
    finish(runs, topologies["follower"])
    kafka.produce(f"{name}-asked", [(b"1", json.dumps(
        {"action": "generate", "request_id": "r0", "n_samples": 3}).encode())])
    finish(runs, topologies["follower"])
    replies = [json.loads(one) for one in kafka.values(f"{name}-answers")]
    assert [one.get("status") for one in replies] == [None] * 3 + ["complete"]
    assert {one["model_version"] for one in replies} == {good["version"]}
