"""Topologies that change or share workers while an owner is paused or misbehaves.

An old owner is stopped (SIGSTOP) through a reset, an upgrade that inserts a repartition, and the
growth of a source, and woken afterwards: nothing of it is committed (rule 11). A delete is in
test_coordinator.py.
"""

import json
import time
from collections import Counter

import pytest
from confluent_kafka.admin import NewPartitions

import millrace
from cluster import Refused, wait_until
from oracle import check, check_closed, check_partition, stream
from stage import identities, passing

PARTITIONS = 4


@pytest.fixture
def halves(scene):
    """Two workers with two tasks each."""
    scene.cast(workers=2)
    scene.play(partitions=PARTITIONS, rate=1000)
    return scene


def records_behind(scene, marks):
    """The output's records from the offsets `marks` on, by partition."""
    found = {}
    for partition in range(PARTITIONS):
        found[partition] = [json.loads(message.value())["id"]
                            for message in stream(scene.kafka, scene.sink, partition)
                            if message.offset() >= marks[partition]]
    return found


def inputs_of(scene):
    return {partition: [json.loads(message.value())["id"]
                        for message in stream(scene.kafka, scene.source, partition)]
            for partition in range(PARTITIONS)}


def test_a_reset_with_an_owner_that_sleeps_through_it(halves):
    """Everything is read again from the start, once, by the new generation alone."""
    scene = halves
    sleeper = scene.cluster.workers["w0"]
    sleeper.pause()
    scene.flows()
    scene.feed.stop()
    time.sleep(1)
    name = f"/v1/topologies/{scene.name}"
    before = scene.cluster.get(name)["generation"]
    marks = scene.kafka.ends(scene.sink)
    scene.cluster.post(name + "/reset")
    wait_until(lambda: scene.cluster.get(name)["generation"] != before, 60, what="a generation")
    sleeper.resume()
    wanted = inputs_of(scene)
    count = sum(len(ids) for ids in wanted.values())
    wait_until(lambda: sum(len(ids) for ids in records_behind(scene, marks).values()) >= count,
               60, 0.5, "all outputs anew")
    time.sleep(2)
    assert records_behind(scene, marks) == wanted  # each once, in order
    check_closed(scene.kafka, [scene.sink])
    assert sleeper.alive()


REPARTITIONED = """  operators:
    - name: placed
      type: detect.zscore
      from: readings
      key: [site]
"""


def test_an_upgrade_that_inserts_a_repartition_with_a_sleeping_owner(halves):
    """An operator with another key and name takes the place of one with state: refused until that
    state is named to be dropped; then the old plan ends for good before the new one begins, whoever
    wakes up."""
    scene = halves
    sleeper = scene.cluster.workers["w0"]
    sleeper.pause()
    scene.flows()
    path = scene.topology()
    text = path.read_text().replace("""  operators:
    - name: score
      type: detect.zscore
      from: readings
      key: [sensor]
""", REPARTITIONED).replace("from: score", "from: placed")
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        scene.cluster.submit(path)
    assert refused.value.code in (409, 422) and "score" in str(refused.value)
    answer = scene.cluster.submit(path, "?drop_state=score")
    assert any(topic["suffix"].endswith("repartition")
               for topic in answer["difference"]["topics"]), answer
    name = f"/v1/topologies/{scene.name}"
    wait_until(lambda: scene.cluster.get(name)["version"] == 2, 60, what="version 2")
    sleeper.resume()
    wait_until(lambda: scene.cluster.get(name)["health"] == "running", 60, what="a running plan")
    ends = scene.kafka.ends(scene.sink)
    wait_until(lambda: sum(scene.kafka.ends(scene.sink).values()) > sum(ends.values()) + 1000,
               60, what="outputs of version 2")
    count = scene.feed.stop()
    wait_until(lambda: scene.cluster.get(name)["lag"] == 0, 60, what="the end of the lag")
    time.sleep(2)
    check_closed(scene.kafka, [scene.sink])
    seen = Counter(json.loads(message.value())["id"]
                   for partition in range(PARTITIONS)
                   for message in stream(scene.kafka, scene.sink, partition))
    # The new plan's source starts where its version says; the old plan wrote no id twice, and what
    # both have written was written before the change and once after it.
    starts = [source["starts"] for source in answer["difference"]["sources"]
              if source["change"] != "same"]
    most = 1 if starts == [] or "latest" in str(starts) else 2
    assert set(seen) == set(range(count)), f"{count - len(seen)} inputs have no output"
    assert max(seen.values()) <= most, (starts, seen.most_common(3))
    assert sleeper.alive()


def test_a_source_that_grows_with_a_sleeping_owner(halves):
    """Keyed state keeps its partitions and says so; nothing of the old ones is lost or doubled."""
    scene = halves
    sleeper = scene.cluster.workers["w0"]
    sleeper.pause()
    scene.flows()
    count = scene.feed.stop()
    admin = scene.kafka.admin()
    for future in admin.create_partitions([NewPartitions(scene.source, PARTITIONS + 2)]).values():
        future.result(30)
    name = f"/v1/topologies/{scene.name}"

    def says_so():
        topology = scene.cluster.get(name)
        return "repartition" in f"{topology['reason']} {topology['warning']}"
    wait_until(says_so, 60, what="'repartition needed'")
    sleeper.resume()
    wait_until(lambda: scene.owned_by("w0"), 30, what="tasks for the one that woke up")
    time.sleep(2)
    total = sum(len(check_partition(scene.kafka, scene.source, scene.sink, partition)[0])
                for partition in range(PARTITIONS))
    assert total == count
    check_closed(scene.kafka, [scene.sink])
    assert sleeper.alive()


def test_neighbours_with_another_interval_and_bad_records(scene):
    """14: two topologies on the same workers, 50 ms and 2 s; every tenth record of the slow one is
    poison and some are oversize. The other's outputs are exact and come as before."""
    scene.cast(workers=2).play(partitions=PARTITIONS, rate=1000, interval="50ms")
    kafka, name = scene.kafka, scene.name + "-bad"
    source, sink = kafka.create(name + "-in", 2), kafka.create(name + "-out", 2,
                                                              max_message_bytes=20_000)
    path = passing(scene.folder / "bad.yaml", name, source, sink,
                   source_more=", on_error: dead_letter", sink_more=", on_error: dead_letter")
    path.write_text(path.read_text().replace("commit_interval: 100ms", "commit_interval: 2s"))
    begun = time.monotonic()
    scene.cluster.submit(path)
    good = []
    for index in range(3000):
        if index % 10:
            good.append(index)
    kafka.produce(source, [
        (b"k%d" % index, (json.dumps({"id": index}) if index % 10 else "{ poison").encode())
        for index in range(3000)], 2)
    wait_until(lambda: sum(kafka.ends(sink).values()) >= len(good), 60, what="the good records")
    scene.flows()
    gap = scene.reader.longest_gap(begun, time.monotonic())
    assert gap < 3 + scene.feed.longest_pause(begun), f"no output of the neighbour for {gap:.1f} s"
    time.sleep(3)
    assert identities(kafka.values(sink)) == Counter(good)
    check(scene)


def test_a_topology_that_floods_leaves_its_neighbour_alone(scene):
    """100,000 records at once through one topology and a failing third one: the other on the same
    workers goes on meanwhile and is exact. What its latency is then: bench/isolation.py."""
    scene.cast(workers=2).play(partitions=2, rate=500)
    kafka, name = scene.kafka, scene.name + "-flood"
    source, sink = kafka.create(name + "-in", 2), kafka.create(name + "-out", 2)
    kafka.produce(source, millrace.readings(100_000, 1000))
    failing = scene.name + "-failing"
    broken = kafka.create(failing + "-in", 2)
    kafka.produce(broken, [(b"k", b"{")])
    scene.cluster.submit(passing(scene.folder / "failing.yaml", failing, broken, sink,
                                 source_more=", on_error: fail"))
    scene.cluster.submit(passing(scene.folder / "flood.yaml", name, source, sink))
    scene.flows()
    wait_until(lambda: scene.cluster.get(f"/v1/topologies/{failing}")["health"] == "failed", 30,
               what="the failed topology")
    wait_until(lambda: sum(kafka.ends(sink).values()) >= 100_000, 120, 0.5, "the flood's end")
    scene.flows()
    check(scene)
