"""A model on real Kafka: learned by a topology, saved, shown, compared and sampled by the commands,
and drawn from by a source of another topology on two workers."""

import itertools
import json
import os
import subprocess

import pytest

import millrace
from cluster import Cluster, ask, wait_until

numbers = itertools.count()
HEAD = "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: NAME}\nspec:\n"
LEARNS = HEAD + """  sources:
    - {name: readings, type: kafka, topic: SOURCE, format: json, key: [sensor], timestamp: ts}
  operators:
    - {name: like, type: generate.KIND, learn: readings, key: [], fields: [value, ok, site],
       learn_batch: 50}
"""
MAKES = HEAD + """  sources:
    - {name: made, type: generate.KIND, model: MODEL, count: 3000, partitions: 2, seed: 9,
       include_metadata: false}
  sinks:
    - {name: out, type: kafka, from: made, topic: SINK}
"""


def command(*words):
    done = subprocess.run([str(millrace.PROGRAM), *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def cluster(kafka, tmp_path):
    made = Cluster(kafka.brokers, f"models{next(numbers)}", tmp_path)
    try:
        coordinator = made.coordinator()
        made.url = f"http://{coordinator.http}"
        wait_until(lambda: ask(made.url + "/v1/leader")["leads"])
        made.worker("w0")
        made.worker("w1")
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("kind", ["copula", "bootstrap"])
def test_a_model_is_learned_saved_and_drawn_from(kafka, cluster, tmp_path, kind):
    source, sink, model = cluster.name + "-in", cluster.name + "-out", tmp_path / "model.json"
    for topic in (source, sink):
        kafka.create(topic, 2)
    kafka.produce(source, list(millrace.readings(1000, 20)))
    learns, makes = tmp_path / "learns.yaml", tmp_path / "makes.yaml"
    learns.write_text(LEARNS.replace("NAME", "learns").replace("SOURCE", source)
                      .replace("KIND", kind))
    cluster.submit(learns)

    flags = ["--with-rows"] if kind == "bootstrap" else []

    def saved():
        done = subprocess.run(
            [str(millrace.PROGRAM), "model", "save", "learns/like", "--out", str(model), "--server",
             cluster.url, *flags], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode == 0 and json.loads(model.read_text())["rows"] == 1000
    wait_until(saved, 60, what="the model is learned")
    shown = json.loads(command("model", "show", model, "-o", "json"))
    assert shown["holds_rows"] == (kind == "bootstrap")
    if kind == "copula":
        assert [field["kind"] for field in shown["fields"]] == ["number", "boolean", "category"]
        assert shown["fields"][2]["categories"] == [{"value": "plant-7", "share": 1.0}]
        compared = json.loads(command("model", "compare", model, "learns/like", "--server",
                                      cluster.url, "-o", "json"))
        assert {field["distance"] for field in compared["fields"]} == {0.0}
    else:
        assert model.stat().st_mode & 0o777 == 0o600
    drawn = command("generate", model, "-n", "3200", "--seed", "9").splitlines()
    assert drawn == command("generate", "learns/like", "-n", "3200", "--seed", "9", "--server",
                            cluster.url).splitlines()

    makes.write_text(MAKES.replace("NAME", "makes").replace("SINK", sink)
                     .replace("MODEL", str(model)).replace("KIND", kind))
    cluster.submit(makes)
    # Partitions take the model's rows in turn, 64 at a time.
    expected = [drawn[(place // 64 * 2 + partition) * 64 + place % 64]
                for partition in range(2) for place in range(1500)]

    def made():
        rows = kafka.values(sink)
        return rows if len(rows) >= 3000 else None
    rows = wait_until(made, 60, what="all records are made")
    assert sorted(row.decode() for row in rows) == sorted(expected)
