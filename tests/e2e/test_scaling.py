"""Workers of a StatefulSet: scaled out and in under load, to nothing and back, and rolled; and what
their probes say meanwhile.

The API server of Kubernetes is one path here; tests/kubernetes has the real one.
"""

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from confluent_kafka import Consumer, TopicPartition

import millrace
from cluster import Refused, ask, wait_until
from oracle import check
from stage import passing
from test_cluster_life import settled

PATH = "/apis/apps/v1/namespaces/default/statefulsets/w"


class Kubernetes:
    """An API server that knows one StatefulSet."""

    def __init__(self, replicas):
        self.replicas, self.asked = replicas, 0
        parent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parent.asked += 1
                found = self.path == PATH
                body = json.dumps({"spec": {"replicas": parent.replicas}} if found else
                                  {"message": "not found"}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def options(self):
        return ("--workers-set", "w", "--kubernetes",
                f"http://127.0.0.1:{self.server.server_port}")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def kubernetes():
    server = Kubernetes(3)
    yield server
    server.stop()


def cast(scene, kubernetes, coordinators=1, options=()):
    """w-0, w-1 and w-2."""
    scene.cast(workers=0, coordinators=coordinators, options=(*kubernetes.options, *options))
    for number in range(3):
        scene.cluster.worker(f"w-{number}", threads=1)
    scene.present(3)
    return scene


def end(*workers):
    """SIGTERM to all at once, as a parallel StatefulSet does; each ends by itself with 0."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        assert worker.process.wait(120) == 0, worker.text()[-3000:]


def replayed(worker, since):
    """The changelog records that each of its tasks replayed, in the log behind `since` bytes."""
    return [int(line.split("replayed_records=")[1].split()[0])
            for line in worker.text()[since:].splitlines() if "task restored" in line]


def drained(worker):
    """It was told that it is not coming back."""
    return "this worker is scaled away" in worker.text()


def terms(scene):
    """Each task's owner and epoch: who keeps both was never asked to stop."""
    return {task["partition"]: (task["worker"], task["epoch"]) for task in scene.cluster.tasks()
            if task["role"] == "active"}


def test_out_and_in_under_load_stops_moved_tasks_only(scene, kubernetes):
    """3 workers become 5, then 1: what is scaled away is empty before it ends."""
    cast(scene, kubernetes).play(partitions=12, rate=2000, keys=500)
    settled(scene, ["w-0", "w-1", "w-2"])
    before, owned = scene.owners(), terms(scene)
    kubernetes.replicas = 5
    for number in (3, 4):
        scene.cluster.worker(f"w-{number}", threads=1)
    scene.present(5)
    settled(scene, [f"w-{number}" for number in range(5)], 240)
    after = scene.owners()
    stayed = [p for p in before if before[p] == after[p]]
    assert len(stayed) >= 7  # 3 x 4 tasks become 5 x 2 or 3
    now = terms(scene)
    assert all(now[p] == owned[p] for p in stayed), (owned, now)
    mine = scene.owned_by("w-0")
    kubernetes.replicas = 1
    leaving = [scene.cluster.workers[f"w-{number}"] for number in (1, 2, 3, 4)]
    end(*leaving)
    assert set(wait_until(scene.owners, 60).values()) == {"w-0"}
    last = terms(scene)
    assert all(last[p] == now[p] for p in mine), (now, last)
    assert all(drained(worker) for worker in leaving)
    scene.flows()
    check(scene)


def test_to_nothing_and_back_restores_no_more_than_the_tail(scene, kubernetes):
    """All end and their graces pass; back one by one, each finds its own tasks on its own disk."""
    cast(scene, kubernetes, options=("--grace", "5s")).play(partitions=9)
    settled(scene, ["w-0", "w-1", "w-2"])
    before, workers = scene.owners(), list(scene.cluster.workers.values())
    kubernetes.replicas = 0
    end(*workers)
    marks = {worker.name: len(worker.text()) for worker in workers}
    wait_until(lambda: {one["state"] for one in scene.workers()} == {"gone"}, 30,
               what="every grace to pass")
    assert not any(drained(worker) for worker in workers)
    kubernetes.replicas = 3
    for worker in workers:
        worker.start()
        time.sleep(1)
    scene.cluster.wait_running(9)
    assert scene.owners() == before
    scene.flows()
    found = [count for worker in workers for count in replayed(worker, marks[worker.name])]
    assert len(found) == 9 and not any(found), found
    check(scene)


def test_a_rolling_update_moves_no_task_though_the_leader_dies(scene, kubernetes):
    """Each worker's restart is announced to one leader and ends under another."""
    cast(scene, kubernetes, coordinators=2, options=("--grace", "2m")).play()
    settled(scene, ["w-0", "w-1", "w-2"])
    before, seen = scene.owners(), set()
    for number in (2, 1, 0):
        worker = scene.cluster.workers[f"w-{number}"]
        leader = scene.cluster.server()
        end(worker)
        victim = next(one for one in scene.cluster.coordinators if one.http in leader)
        victim.kill()
        scene.cluster.server()
        victim.start()
        time.sleep(3)  # the new leader listens for 2 s
        states, tasks = wait_until(lambda: (scene.workers(), scene.cluster.tasks()), 60)
        assert {one["name"]: one["state"] for one in states}[worker.name] == "restarting", states
        seen.update(task["worker"] for task in tasks
                    if before[task["partition"]] == worker.name and task["state"] == "running"
                    and task["worker"] != worker.name)
        worker.start()
        scene.present(3)
        scene.cluster.wait_running(scene.partitions, 120)
        assert wait_until(scene.owners, 60) == before
    assert not seen
    scene.flows()
    check(scene)


def test_what_to_scale_by(scene):
    """How busy each worker is and what waits for it; lag tools read the group's offsets."""
    scene.cast(workers=1).play(partitions=4)
    worker = scene.cluster.workers["w0"]

    def value(name):
        found = [float(line.rsplit(" ", 1)[1]) for line in
                 ask(f"http://{worker.http}/metrics").splitlines() if line.startswith(name + "{")]
        return found

    def busy():
        (one,) = value("millrace_worker_busy_ratio")
        assert 0 <= one <= 1.5, one
        return one > 0.001
    wait_until(busy, 60, 0.5, "a load")
    assert len(value("millrace_source_lag_records")) == 4
    group = f"{scene.cluster.name}.{scene.name}"
    partitions = [TopicPartition(scene.source, number) for number in range(4)]
    reader = Consumer({"bootstrap.servers": scene.kafka.brokers, "group.id": group})

    def mirrored():
        return all(one.offset > 0 for one in reader.committed(partitions, 10))
    wait_until(mirrored, 60, 0.5, "mirrored offsets")
    reader.close()
    check(scene)


# ---- Probes ----


def probe(process, path):
    """The code and what is said."""
    try:
        return 200, ask(f"http://{process.http}{path}", timeout=5)
    except Refused as refused:
        return refused.code, refused.problem.get("detail", "")


def test_probes_are_answered_while_kafka_is_awaited(scene):
    """Alive, not ready: a pod is not killed for a broker that is away."""
    nobody = f"127.0.0.1:{millrace.free_port()}"
    worker = scene.cluster.worker("early", brokers=nobody, coordinators="tcp://127.0.0.1:1")
    assert wait_until(lambda: probe(worker, "/healthz"), 20)[0] == 200
    time.sleep(2)
    assert probe(worker, "/healthz")[0] == 200
    assert probe(worker, "/readyz") == (503, "No Kafka broker has answered yet.")
    assert worker.stop() == 0


def test_ready_is_restored(scene):
    """Not while a task waits for its state, nor before the coordinator has given it its tasks."""
    scene.cast(workers=1).play(partitions=3)
    worker = scene.cluster.workers["w0"]
    assert probe(worker, "/readyz")[0] == 200
    worker.kill()
    worker.start({"MILLRACE_FAILPOINT": "before_restore:1:sleep=4000"})
    said = set()

    def ready():
        code, what = probe(worker, "/readyz")
        said.add((code, what if code == 503 else what["tasks"]))
        return code == 200
    wait_until(ready, 40, 0.01, "readiness")
    assert {what for code, what in said if code == 200} == {3}, said
    assert any("tasks are not restored" in str(what) for _, what in said), said
    coordinator = scene.cluster.coordinators[0]
    assert probe(coordinator, "/readyz")[0] == 200
    scene.flows()
    check(scene)


def test_a_failed_topology_leaves_its_worker_ready(scene):
    """Else the rollout that corrects it would wait for it. Only the leader counts what failed."""
    scene.cast(workers=1, coordinators=2).play(partitions=2)
    kafka, failing = scene.kafka, scene.name + "-failing"
    broken, sink = kafka.create(failing + "-in", 2), kafka.create(failing + "-out", 2)
    kafka.produce(broken, [(b"k", b"{")])
    scene.cluster.submit(passing(scene.folder / "failing.yaml", failing, broken, sink,
                                 source_more=", on_error: fail"))
    worker = scene.cluster.workers["w0"]
    wait_until(lambda: scene.cluster.get(f"/v1/topologies/{failing}")["health"] == "failed", 30,
               what="the failed topology")
    said = []

    def ready():
        said.append(probe(worker, "/readyz"))
        return said[-1][0] == 200
    wait_until(ready, 20, 0.2, "readiness beside what failed")
    assert said[-1][1]["tasks"] == 4 and said[-1][1]["tasks_failed"] >= 1, said
    scene.flows()
    worker.kill()
    worker.start()
    wait_until(ready, 40, 0.1, "readiness after a restart")
    time.sleep(2)  # coordinators count once a second
    leader = scene.cluster.server()
    for one in scene.cluster.coordinators:
        text = ask(f"http://{one.http}/metrics")
        counted = {"failed": 1, "running": 1} if one.http in leader else {}
        for state in ("failed", "running"):
            assert (f'_topologies{{cluster="{scene.cluster.name}",state="{state}"}}'
                    f" {counted.get(state, 0)}\n") in text, text
        assert f'_workers{{cluster="{scene.cluster.name}",state="gone"}} 0\n' in text, text
    check(scene)


def test_alive_is_that_the_loops_turn(scene):
    """A task thread that hangs shows at once; 30 s of it are borne."""
    scene.cast(workers=1).play(partitions=2)
    worker = scene.cluster.workers["w0"]
    worker.kill()
    worker.start({"MILLRACE_FAILPOINT": "task_thread_turned:50:sleep=5000"})

    def hangs():
        code, what = probe(worker, "/healthz")
        return code == 200 and what["task_threads_silent_ms"] > 3000
    wait_until(hangs, 40, 0.05, "a thread that hangs")
    wait_until(lambda: probe(worker, "/healthz")[1]["task_threads_silent_ms"] < 1000, 30)
    scene.flows()
    check(scene)


@pytest.fixture
def broker():
    """A broker of its own, that a test may stop."""
    directory = tempfile.mkdtemp(prefix="millrace-e2e-hang-")
    kafka = millrace.Kafka(directory).start()
    yield kafka
    os.kill(kafka.pid(), signal.SIGCONT)
    kafka.stop(kill=True)
    shutil.rmtree(directory, ignore_errors=True)


def test_the_loops_turn_while_kafka_hangs(broker, scenes):
    """A broker that answers nobody for longer than any request waits: nothing is to be killed."""
    scene = scenes(broker)
    scene.cast(workers=1).play(partitions=2)
    worker, coordinator = scene.cluster.workers["w0"], scene.cluster.coordinators[0]
    os.kill(broker.pid(), signal.SIGSTOP)
    until, silences = time.monotonic() + 15, []
    while time.monotonic() < until:
        code, what = probe(worker, "/healthz")
        assert code == 200, what
        silences += [value for name, value in what.items() if name.endswith("_silent_ms")]
        assert probe(coordinator, "/healthz")[0] == 200
        time.sleep(0.25)
    os.kill(broker.pid(), signal.SIGCONT)
    assert max(silences) < 5000, max(silences)
    scene.flows(90)
    check(scene)
