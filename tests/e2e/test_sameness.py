"""A file, the embedded broker and Kafka give the same outputs, as text."""

import json
import re
from collections import Counter
from pathlib import Path

from millrace import readings

RECORDS, KEYS = 20_000, 300


def write(path, name, source, sink, operators=""):
    Path(path).write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata:
  name: {name}
spec:
  commit_interval: 100ms
  sources:
    - name: readings
      {source}
      format: json
{operators}  sinks:
    - name: results
      {sink}
""")
    return path


def scores(path, name, source, sink):
    operators = """  operators:
    - name: score
      type: detect.zscore
      from: readings
      key: [sensor]
      field: value
      threshold: 4.0
"""
    return write(path, name, source, f"from: score\n      {sink}", operators)


def written(folder):
    """Lines of a file sink's files."""
    return [line for path in sorted(folder.glob("*.jsonl"))
            for line in path.read_bytes().splitlines()]


def outputs(lines):
    """Each output's identity with its score and verdict exactly as written."""
    found = Counter()
    for line in lines:
        score = re.search(rb'"score":([^,}]+)', line)[1]
        record = json.loads(line)
        found[(record["id"], record["sensor"], score, record["anomaly"]["is_anomaly"])] += 1
    return found


def test_three_logs_give_the_same_outputs(kafka, unique, runs, tmp_path):
    records = list(readings(RECORDS, KEYS))
    given = tmp_path / "given.jsonl"
    given.write_bytes(b"".join(value + b"\n" for _, value in records))
    found = {}

    out = tmp_path / "file"
    out.mkdir()
    keyed = "type: kafka\n      topic: {}\n      key: [sensor]"
    sink = "type: file\n      path: {}/out.jsonl"
    topology = scores(tmp_path / "file.yaml", unique + "-f", f"type: file\n      path: {given}",
                      sink.format(out))
    code, _, err = runs(topology, until_end=True).wait(120)
    assert code == 0, err
    found["file"] = outputs(written(out))

    out = tmp_path / "embedded"
    out.mkdir()
    feed = write(tmp_path / "feed.yaml", unique + "-e-feed", f"type: file\n      path: {given}",
                 "from: readings\n      " + keyed.format(unique + "-e"))
    topology = scores(tmp_path / "embedded.yaml", unique + "-e", keyed.format(unique + "-e"),
                      sink.format(out))
    code, _, err = runs(feed, topology, until_end=True).wait(120)
    assert code == 0, err
    found["embedded"] = outputs(written(out))

    source, target = kafka.create(unique + "-in"), kafka.create(unique + "-out")
    kafka.produce(source, records)
    topology = scores(tmp_path / "kafka.yaml", unique + "-k", keyed.format(source),
                      keyed.format(target))
    code, _, err = runs(topology, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state",
                        until_end=True).wait(120)
    assert code == 0, err
    found["kafka"] = outputs(kafka.values(target))

    assert len(found["kafka"]) == sum(found["kafka"].values()) == RECORDS
    assert sum(anomaly for _, _, _, anomaly in found["kafka"]) > 0
    assert found["file"] == found["kafka"]
    assert found["embedded"] == found["kafka"]
