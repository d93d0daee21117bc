"""The commands against a real cluster: one coordinator, two workers, a real Kafka."""

import json
import os
import subprocess

import pytest

from cluster import Cluster, wait_until
from millrace import PROGRAM, readings, zscore_topology

PARTITIONS, RECORDS = 4, 2000


class Commands:
    """`millrace` with the addresses of one cluster in its environment."""

    def __init__(self, cluster, kafka):
        self.environment = {**os.environ, "MILLRACE_CLUSTER": cluster.name,
                            "MILLRACE_BROKERS": kafka.brokers,
                            "MILLRACE_SERVER": ",".join(f"http://{one.http}"
                                                        for one in cluster.coordinators)}

    def start(self, *words, **options):
        return subprocess.Popen([str(PROGRAM), *map(str, words)], text=True, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, **options)

    def run(self, *words, text=""):
        """(exit code, standard output, standard error)"""
        result = subprocess.run([str(PROGRAM), *map(str, words)], input=text, text=True,
                                capture_output=True, timeout=120, env=self.environment)
        return result.returncode, result.stdout, result.stderr

    def good(self, *words, **options):
        code, output, errors = self.run(*words, **options)
        assert code == 0, (words, output, errors)
        return output

    def json(self, *words):
        return json.loads(self.good(*words, "-o", "json"))


@pytest.fixture
def scene(kafka, unique, tmp_path):
    """A cluster with a topology that runs, fed by `produce`."""
    cluster = Cluster(kafka.brokers, unique, tmp_path)
    cluster.coordinator()
    cluster.worker("w0")
    cluster.worker("w1")
    commands = Commands(cluster, kafka)
    source = kafka.create(f"{unique}-in", PARTITIONS)
    sink = kafka.create(f"{unique}-out", PARTITIONS)
    path = zscore_topology(tmp_path / "t.yaml", source, sink, name=unique)
    text = path.read_text().replace("      timestamp: ts\n",
                                    "      timestamp: ts\n      on_error: dead_letter\n"
                                    "      start: earliest\n")
    path.write_text(text)
    def present():
        code, output, _ = commands.run("workers", "-o", "json")
        return code == 0 and len(json.loads(output)["workers"]) == 2
    wait_until(present, what="two workers")
    commands.good("submit", path, "--wait", "--timeout", "60s")
    lines = "\n".join(value.decode() for _, value in readings(RECORDS, 20))
    commands.good("produce", source, "--key", "sensor", text=lines)
    yield commands, cluster, unique, source, sink, path
    cluster.end()
    print(cluster.logs(3000))


def caught_up(commands, name):
    def look():
        status = commands.json("status", name)
        return status if status["lag"] == 0 and status["health"] == "running" else None
    return wait_until(look, 60, 0.3, "lag 0")


def test_a_day_with_a_topology(scene, kafka, tmp_path):
    """Submit, look, query, pause, seek, upgrade, roll back, reset, delete."""
    commands, _, name, _, sink, path = scene
    caught_up(commands, name)
    assert sum(len(part) for part in kafka.read(sink).values()) == RECORDS
    assert name in commands.good("list")
    assert len(commands.json("tasks", "--topology", name)["tasks"]) >= PARTITIONS
    key = json.loads(kafka.values(sink)[0])["sensor"]
    value = commands.json("query", name, "score", key)["value"]
    assert value["count"] == sum(json.loads(one)["sensor"] == key for one in kafka.values(sink))
    assert commands.run("query", name, "score", "no-such-key")[0] == 1
    assert "nothing holds it back" in commands.good("why", name)

    commands.good("pause", name)
    wait_until(lambda: commands.json("status", name)["health"] == "paused", what="the pause")
    commands.good("resume", name, "--wait", "--timeout", "60s")
    output = commands.good("seek", name, "readings", "--to", "earliest", "--wait", "--yes")
    assert "State and watermarks are kept" in output
    wait_until(lambda: sum(len(part) for part in kafka.read(sink).values()) == 2 * RECORDS,
               60, 1, "results of the second reading")

    newer = tmp_path / "newer.yaml"
    newer.write_text(path.read_text().replace("threshold: 4.0", "threshold: ${LIMIT:9}"))
    assert "version 2" in commands.good("submit", newer, "--wait")
    assert "+      threshold: ${LIMIT:9}" in commands.good("diff", name)
    dropping = tmp_path / "dropping.yaml"
    dropping.write_text(path.read_text().replace("name: score\n", "name: other\n")
                        .replace("from: score\n", "from: other\n"))
    code, _, errors = commands.run("submit", dropping)
    assert code == 1 and "--drop-state score" in errors
    commands.good("rollback", name, "--wait")
    assert commands.json("status", name)["version"] == 1
    commands.good("reset", name, "--wait", "--yes")
    commands.good("delete", name, "--wait", "--yes")
    assert commands.run("status", name)[0] == 1


def test_dead_letters_come_back_once(scene, kafka):
    """A replay writes each chosen letter back once, however often it is asked for."""
    commands, _, name, source, _, _ = scene
    before = sum(len(part) for part in kafka.read(source).values())
    commands.good("produce", source, "--key", "sensor",
                  text='{"sensor":"a","ts":"bad"}\n{"sensor":"b","ts":"bad"}\n')

    def letters():
        code, output, _ = commands.run("dlq", "list", name, "-o", "json")
        return code == 0 and json.loads(output)["letters"] == 2
    wait_until(letters, 60, 0.3, "two dead letters")
    shown = [json.loads(line)
             for line in commands.good("dlq", "show", name, "-o", "json").splitlines()]
    first = f"{shown[0]['partition']}:{shown[0]['offset']}"
    assert "1 letter replayed" in commands.good("dlq", "replay", name, "--offset", first)
    assert "1 letter replayed" in commands.good("dlq", "replay", name, "--all", "--count", "1")
    # The records are as bad as before: they come back as two new letters.
    wait_until(lambda: commands.json("dlq", "list", name)["letters"] == 4, 60, 0.3, "four letters")
    cause = commands.json("dlq", "list", name)["causes"][0]
    assert (cause["count"], cause["replayed"]) == (4, 2)
    assert sum(len(part) for part in kafka.read(source).values()) == before + 4


def test_a_tap_sees_rows_of_both_workers(scene):
    commands, cluster, name, source, _, _ = scene
    caught_up(commands, name)
    owners = {task["worker"] for task in cluster.tasks() if task["role"] == "active"}
    assert owners == {"w0", "w1"}
    tap = commands.start("tail", name, "score", "--count", "50")
    lines = "\n".join(value.decode() for _, value in readings(400, 20, start=RECORDS))
    try:
        for _ in range(20): # rows pass while nobody looks yet
            if tap.poll() is not None:
                break
            commands.good("produce", source, "--key", "sensor", text=lines)
        output, errors = tap.communicate(timeout=30)
    finally:
        tap.kill()
    rows = [json.loads(line) for line in output.splitlines()]
    assert len(rows) == 50, errors
    assert all("score" in row["anomaly"] and "sensor" in row["record"] for row in rows)


def test_a_drain_is_waited_for(scene):
    commands, cluster, name, _, _, _ = scene
    commands.good("drain", "w0", "--wait", "--timeout", "60s")
    assert {task["worker"] for task in cluster.tasks() if task["role"] == "active"} == {"w1"}
    commands.good("drain", "w0", "--undo")
    assert "w1" in commands.good("top") and name in commands.good("describe", name)


def test_doctor_sees_kafka_and_the_leader(scene):
    commands, *_ = scene
    found = {one["check"]: one for one in commands.json("doctor")["findings"]}
    assert found["coordinator"]["verdict"] == "ok", found
    assert found["transaction.partition.verification.enable"]["verdict"] == "ok"
    assert found["version"]["verdict"] == "ok"
    assert found["replicas"]["verdict"] == "warning" # one broker
