"""Coordinators as processes on a real Kafka: who leads, what survives, what users may change.

The oracle is the output topic: whatever happens to coordinators, every input has its output once.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import millrace
from cluster import Cluster, Refused, ask, wait_until

sys.path.insert(0, str(millrace.ROOT / "tests" / "support"))
from kafka_proxy import Proxy  # noqa: E402

PARTITIONS = 4


class Scene:
    """A cluster with a source and a sink of its own, fed piece by piece."""

    def __init__(self, kafka, unique, folder):
        self.kafka, self.name, self.folder = kafka, unique, Path(folder)
        self.source = kafka.create(f"{unique}-in", PARTITIONS)
        self.sink = kafka.create(f"{unique}-out", PARTITIONS)
        self.cluster = Cluster(kafka.brokers, unique, folder)
        self.fed = 0

    def topology(self, file="t.yaml", **options):
        return millrace.zscore_topology(
            self.folder / file, self.source, self.sink, name="scores", **options)

    def feed(self, count=1000):
        self.kafka.produce(
            self.source, list(millrace.readings(count, 50, start=self.fed, seed=self.fed + 1)))
        self.fed += count

    def await_outputs(self, count=None, seconds=40):
        def done():
            return sum(self.kafka.ends(self.sink).values()) >= (count or self.fed)
        wait_until(done, seconds, 0.2, f"{count or self.fed} outputs")

    def check(self):
        """Each input once, in order, with the right score; nobody runs any more."""
        for worker in self.cluster.workers.values():
            if worker.alive():
                worker.resume()
                assert worker.stop() == 0
        assert millrace.check_outputs(self.kafka, self.source, self.sink) == self.fed

    def leaders(self):
        found = []
        for one in self.cluster.coordinators:
            try:
                if one.alive() and ask(f"http://{one.http}/v1/leader", timeout=1)["leads"]:
                    found.append(one)
            except OSError:
                pass
        return found

    def await_leader(self, other_than=None, seconds=20):
        return wait_until(
            lambda: next((one for one in self.leaders() if one is not other_than), None),
            seconds, what="a leader")

    def term(self, coordinator):
        return ask(f"http://{coordinator.http}/v1/leader")["term"]

    def start(self, coordinators=1, workers=1):
        """The first coordinator leads; the others are warm. (Candidates that start together over an
        empty control topic stand together, and the last one wins: no test's subject.)"""
        leader = self.cluster.coordinator()
        self.await_leader()
        for _ in range(coordinators - 1):
            other = self.cluster.coordinator()
            wait_until(lambda: ask(f"http://{other.http}/readyz") == "ready\n", 20)
        for _ in range(workers):
            self.cluster.worker()
        assert self.leaders() == [leader]
        return leader

    def epochs(self):
        return {(t["subtopology"], t["partition"]): (t["epoch"], t["worker"])
                for t in self.cluster.tasks()}


@pytest.fixture
def scene(kafka, unique, tmp_path):
    made = Scene(kafka, unique, tmp_path)
    yield made
    made.cluster.end()


# ---- Who leads ----


def test_a_leader_that_is_killed_has_a_successor_and_no_task_stops(scene):
    first = scene.start(coordinators=2)
    scene.cluster.submit(scene.topology())
    scene.feed()
    scene.cluster.wait_running(PARTITIONS)
    scene.await_outputs()
    before, term = scene.epochs(), scene.term(first)
    assert scene.leaders() == [first]
    killed = time.time()
    first.kill()
    scene.feed()
    scene.await_outputs(seconds=10)  # while nobody leads, what runs goes on
    second = scene.await_leader()
    print(f"the successor leads {time.time() - killed:.1f} s after the kill")
    assert time.time() - killed < 8
    assert scene.term(second) == term + 1
    scene.feed()
    scene.await_outputs()
    scene.cluster.wait_running(PARTITIONS)
    assert scene.epochs() == before  # taken as it was found: nothing was claimed anew
    scene.check()


def test_a_paused_leader_that_wakes_up_decides_nothing(scene):
    first = scene.start(coordinators=2)
    scene.cluster.submit(scene.topology())
    scene.cluster.wait_running(PARTITIONS)
    first.pause()
    second = wait_until(
        lambda: next((one for one in scene.cluster.coordinators if one is not first and
                      ask(f"http://{one.http}/v1/leader", timeout=1)["leads"]), None), 20)
    term = scene.term(second)
    server = f"http://{second.http}"
    changed = scene.topology("t2.yaml").read_text().replace("threshold: 4.0", "threshold: 4.5")
    ask(server + "/v1/topologies", "POST", changed, "application/yaml", timeout=60)
    first.resume()
    wait_until(lambda: not ask(f"http://{first.http}/v1/leader", timeout=2)["leads"], 15)
    # What is asked of it now goes to the new leader, who knows the second version.
    found = wait_until(lambda: ask(f"http://{first.http}/v1/topologies"), 15)["topologies"]
    assert [one["version"] for one in found] == [2]
    time.sleep(5)  # longer than its cool-down: it does not take the lead back
    assert scene.leaders() == [second]
    assert scene.term(second) == term


def test_a_hand_over_takes_no_time_worth_mentioning(scene):
    first = scene.start(coordinators=2)
    scene.cluster.submit(scene.topology())
    scene.cluster.wait_running(PARTITIONS)
    before = scene.epochs()
    second = next(one for one in scene.cluster.coordinators if one is not first)
    assert scene.leaders() == [first]
    stopped = time.time()
    first.process.terminate()
    wait_until(lambda: ask(f"http://{second.http}/v1/leader")["leads"], 10, 0.01)
    took = time.time() - stopped
    assert first.process.wait(20) == 0
    print(f"the successor leads {took:.2f} s after SIGTERM")
    assert took < 1.9  # silence alone takes 2 s
    scene.feed()
    scene.await_outputs()
    scene.cluster.wait_running(PARTITIONS)
    assert scene.epochs() == before
    scene.check()


def test_a_leader_that_is_cut_off_from_kafka_makes_way(tmp_path, unique):
    """A second listener of the broker is advertised at a proxy; the first coordinator uses it."""
    through, behind = millrace.free_port(), millrace.free_port()
    kafka = millrace.Kafka(tmp_path / "kafka")
    controller = millrace.free_port()
    listeners = (f"BROKER://127.0.0.1:{kafka.port},PROXIED://127.0.0.1:{behind},"
                 f"CONTROLLER://127.0.0.1:{controller}")
    advertised = f"BROKER://127.0.0.1:{kafka.port},PROXIED://127.0.0.1:{through}"
    names = "BROKER:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
    for line in (f"listeners={listeners}", f"advertised.listeners={advertised}",
                 f"listener.security.protocol.map={names}",
                 f"controller.quorum.voters=1@127.0.0.1:{controller}"):
        kafka.options += ["--property", line]
    kafka.start()
    proxy = Proxy(through, behind)
    scene = Scene(kafka, unique, tmp_path)
    try:
        first = scene.cluster.coordinator(brokers=f"127.0.0.1:{through}")
        scene.await_leader()
        second = scene.cluster.coordinator()
        scene.cluster.worker()
        wait_until(lambda: ask(f"http://{second.http}/readyz") == "ready\n", 20)
        scene.cluster.submit(scene.topology())
        scene.feed()
        scene.cluster.wait_running(PARTITIONS)
        before = scene.epochs()
        proxy.close()
        wait_until(lambda: ask(f"http://{second.http}/v1/leader")["leads"], 20)
        # The old one still reaches the worker, and says that it does not lead.
        wait_until(lambda: not ask(f"http://{first.http}/v1/leader")["leads"], 15)
        scene.feed()
        scene.await_outputs()
        scene.cluster.wait_running(PARTITIONS)
        assert scene.epochs() == before
        assert scene.leaders() == [second]
        scene.check()
    finally:
        scene.cluster.end()
        proxy.close()
        kafka.stop()


def test_run_leaves_a_cluster_with_a_leader_alone(scene):
    scene.start(workers=0)
    path = scene.topology()
    words = [str(millrace.BUILD / "bin" / "millrace"), "run", str(path), "--brokers",
             scene.kafka.brokers, "--cluster", scene.name, "--quiet", "--until-end"]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1, refused.stderr
    assert "has a coordinator" in refused.stderr and "millrace submit" in refused.stderr
    assert len(scene.leaders()) == 1  # it was not fenced
    assert scene.cluster.coordinators[0].text().count("leads no more") == 0


# ---- What users change ----


def test_an_upgrade_keeps_state_and_a_rollback_goes_back(scene):
    scene.start(workers=2)
    path = scene.topology()
    scene.cluster.submit(path)
    scene.feed()
    scene.await_outputs()
    path.write_text(path.read_text().replace("commit_interval: 100ms", "commit_interval: 50ms"))
    assert scene.cluster.submit(path, "?dry_run=1")["version"] == 2
    assert scene.cluster.get("/v1/topologies")["topologies"][0]["version"] == 1
    answer = scene.cluster.submit(path)
    assert answer["difference"]["state"][0]["change"] == "kept"
    scene.feed()
    scene.await_outputs()
    scene.cluster.wait_running(PARTITIONS)
    assert {task["version"] for task in scene.cluster.tasks()} == {2}
    scene.cluster.post("/v1/topologies/scores/rollback")
    scene.feed()
    scene.await_outputs()
    scene.cluster.wait_running(PARTITIONS)
    assert {task["version"] for task in scene.cluster.tasks()} == {1}
    scene.check()


def test_what_would_drop_state_is_refused_until_it_is_named(scene):
    scene.start()
    path = scene.topology()
    scene.cluster.submit(path)
    path.write_text(path.read_text().replace("name: score\n", "name: other\n")
                    .replace("from: score\n", "from: other\n"))
    with pytest.raises(Refused) as refused:
        scene.cluster.submit(path)
    assert refused.value.code == 422
    assert "--drop-state score" in refused.value.problem["detail"]
    answer = scene.cluster.submit(path, "?drop_state=score")
    assert {part["name"]: part["change"] for part in answer["difference"]["subtopologies"]} == {
        "score": "dropped", "other": "added"}
    scene.cluster.wait_running(PARTITIONS)


def test_paused_nothing_is_read_and_resumed_nothing_is_missing(scene):
    scene.start()
    scene.cluster.submit(scene.topology())
    scene.feed()
    scene.await_outputs()
    scene.cluster.post("/v1/topologies/scores/pause")
    found = wait_until(lambda: scene.cluster.get("/v1/topologies")["topologies"][0])
    assert found["state"] == "paused"
    time.sleep(1)  # the worker's next answers say so: its tasks stay, and read nothing
    end = scene.kafka.ends(scene.sink)
    scene.feed()
    time.sleep(1.5)
    assert scene.kafka.ends(scene.sink) == end
    scene.cluster.post("/v1/topologies/scores/resume")
    scene.await_outputs()
    scene.check()


def outputs(scene):
    return len(scene.kafka.values(scene.sink))


def test_a_seek_reads_again_from_where_it_was_told(scene):
    scene.start()
    scene.cluster.submit(scene.topology())
    scene.feed()
    scene.await_outputs()
    wait_until(lambda: outputs(scene) == 1000)
    answer = scene.cluster.post(
        "/v1/topologies/scores/seek", '{"source": "readings", "to": "earliest"}', timeout=60)
    assert "state" in answer
    wait_until(lambda: outputs(scene) == 2000)
    scene.cluster.wait_running(PARTITIONS)
    scene.cluster.post(
        "/v1/topologies/scores/seek", '{"source": "readings", "to": "latest"}', timeout=60)
    scene.cluster.wait_running(PARTITIONS)
    scene.feed(100)
    wait_until(lambda: outputs(scene) == 2100)


def internal_topics(scene):
    return {name for name in scene.kafka.topics() if name.startswith(f"{scene.name}.scores.")}


def test_a_reset_starts_over_under_another_generation(scene):
    scene.start()
    scene.cluster.submit(scene.topology())
    scene.feed()
    scene.await_outputs()
    before = internal_topics(scene)
    scene.cluster.post("/v1/topologies/scores/reset")
    wait_until(lambda: outputs(scene) == 2000)  # with empty state, from the start
    assert internal_topics(scene) & before == set()


def test_delete_and_submit_again_under_the_same_name(scene):
    scene.start()
    path = scene.topology()
    first = scene.cluster.submit(path)
    scene.feed()
    scene.await_outputs()
    scene.cluster.delete("/v1/topologies/scores")
    wait_until(lambda: not scene.cluster.get("/v1/topologies")["topologies"])
    wait_until(lambda: not internal_topics(scene))
    assert scene.source in scene.kafka.topics() and scene.sink in scene.kafka.topics()
    assert scene.cluster.submit(path)["version"] == first["version"] == 1
    wait_until(lambda: outputs(scene) == 2000)


def test_a_paused_owner_wakes_up_after_a_delete_and_writes_nothing(scene):
    scene.start()
    path = scene.topology()
    scene.cluster.submit(path)
    scene.feed()
    scene.await_outputs()
    old = scene.cluster.workers["w0"]
    old.pause()
    scene.cluster.delete("/v1/topologies/scores")
    scene.cluster.worker("w1")
    wait_until(lambda: not scene.cluster.get("/v1/topologies")["topologies"], 60)
    end = scene.kafka.ends(scene.sink)
    scene.feed()
    old.resume()
    time.sleep(3)
    assert scene.kafka.ends(scene.sink) == end
    assert old.alive()
