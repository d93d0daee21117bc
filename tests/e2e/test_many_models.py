"""10,000 keyed models of generate.copula, on Kafka: the process stays within the memory that `plan`
states, although all models learn their first batch within the same second."""

import json
import subprocess
import time
from pathlib import Path

import millrace

KEYS, ROUNDS, COLUMNS = 10_000, 66, 8
DISTRIBUTIONS = [
    "distribution: normal",
    "distribution: integer, minimum: 0, maximum: 90",
    "distribution: choice, values: [alpha, beta, gamma, delta, epsilon]",
    "distribution: choice, values: ['yes', 'no']",
]
TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: {name}}}
spec:
  commit_interval: 1s
  memory: 64MiB
  sources:
    - name: rows
      type: generate.random
      keys: {keys}
      count: {count}
      fields:
        - {{name: k, distribution: key}}
{fields}
  operators:
    - {{name: made, learn: rows, type: generate.copula, key: [k], fields: [{names}],
       reservoir: 128, learn_batch: 64, min_records: 64, ratio: 0.1, scope: partition,
       state: {{max_keys: {keys}}}}}
  sinks:
    - {{name: out, type: kafka, topic: {name}, from: made, where: "false"}}
"""


def peak_kib(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0  # it has just ended


def test_memory_is_as_planned(kafka, runs, unique, tmp_path):
    kafka.create(unique)
    fields = "\n".join(f"        - {{name: f{n}, {DISTRIBUTIONS[n % len(DISTRIBUTIONS)]}}}"
                       for n in range(COLUMNS))
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY.format(name=unique, keys=KEYS, count=KEYS * ROUNDS, fields=fields,
                                    names=", ".join(f"f{n}" for n in range(COLUMNS))))
    plan = json.loads(subprocess.run([millrace.PROGRAM, "plan", "-o", "json", path], check=True,
                                     capture_output=True, text=True).stdout)
    run = runs(path, brokers=kafka.brokers, cluster=unique, state=tmp_path / "state",
               until_end=True, threads=1)
    peak = 0
    deadline = time.time() + 300
    while run.alive():
        assert time.time() < deadline
        peak = max(peak, peak_kib(run.process))
        time.sleep(0.02)
    status, _, err = run.wait()
    assert status == 0, err[-3000:]
    stated = plan["resident_bytes"]
    print(f"peak {peak / 1024:.0f} MiB, {stated / 2**20:.0f} MiB stated")
    assert 0 < peak * 1024 <= stated
    assert stated <= 2 * peak * 1024  # it says something
