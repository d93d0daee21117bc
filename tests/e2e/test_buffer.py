"""Sorted records in a buffer, read from a cluster while it runs, across the kill of a worker."""

import json
import random

import pytest

from cluster import Cluster, Refused, wait_until

TOPOLOGY = """
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: recent}}
spec:
  commit_interval: 100ms
  sources:
    - name: readings
      type: kafka
      topic: {name}-in
      key: [sensor]
      timestamp: ts
      watermark: {{max_delay: 2s}}
      schema: {{sensor: string, ts: int, value: double}}
  operators:
    - {{name: ordered, type: sort, from: readings, key: [sensor]}}
    - {{name: doubled, type: map, from: ordered, set: {{twice: value * 2.0}}}}
    - {{name: last, type: buffer, from: doubled, key: [sensor], max_records: 40}}
  sinks:
    - {{name: out, type: kafka, topic: {name}-out, from: last}}
"""


def readings(count):
    """Up to 20 places out of order, 100 ms apart; the last ones push all others out."""
    rows = [{"sensor": f"s{i % 2}", "ts": 100 * i, "value": i} for i in range(count)]
    mixed = sorted(rows, key=lambda row: row["ts"] + random.Random(row["ts"]).random() * 2000)
    ends = [{"sensor": f"s{i}", "ts": 100 * count + 60000, "value": -1} for i in range(2)]
    return [(row["sensor"].encode(), json.dumps(row).encode()) for row in mixed + ends]


@pytest.fixture
def cluster(kafka, unique, tmp_path):
    made = Cluster(kafka.brokers, unique, tmp_path)
    made.coordinator()
    yield made
    made.end()


def test_the_last_records_are_asked_for(kafka, unique, cluster, tmp_path):
    for end in ("in", "out"):
        kafka.create(f"{unique}-{end}", 1)
    kafka.produce(f"{unique}-in", readings(400))
    path = tmp_path / "recent.yaml"
    path.write_text(TOPOLOGY.format(name=unique))
    cluster.worker("w0")
    cluster.submit(path)
    cluster.wait_running(1)

    def values(query):
        found = cluster.get(f"/v1/state/recent/last/s0{query}")["value"]
        return [entry["record"]["value"] for entry in found["last"]]

    even = list(range(0, 400, 2))
    wait_until(lambda: values("?last=1") == [398], what="the last record")
    assert values("?last=3") == even[-3:]
    assert values("?since=1s") == even[-6:]
    assert values("") == even[-40:]
    whole = cluster.get("/v1/state/recent/last/s0?last=1")["value"]
    assert whole["records"] == 40 and 0 < whole["utilisation"] < 0.1
    assert whole["last"][0]["record"] == {"sensor": "s0", "ts": 39800, "value": 398, "twice": 796}
    assert cluster.get("/v1/state/recent/ordered/s0")["value"]["waiting"] == 1
    for query in ("?last=x", "?since=3"):
        with pytest.raises(Refused) as refused:
            values(query)
        assert refused.value.code == 400
    with pytest.raises(Refused) as refused:
        cluster.get("/v1/state/recent/ordered/s0?last=3")
    assert refused.value.code == 400 and "keeps no records" in str(refused.value)

    cluster.workers["w0"].kill()
    cluster.workers["w0"].start()
    cluster.wait_running(1)
    wait_until(lambda: values("") == even[-40:], what="the same records")
    assert cluster.get("/v1/state/recent/ordered/s0")["value"]["waiting"] == 1
