"""A generator over a table, through the engine: one topology, one file, `millrace run`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "millrace"

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - {{name: rows, type: file, path: {folder}/rows.jsonl, format: json}}
  operators:
    - {{name: made, type: {kind}, learn: rows, key: [], fields: [{names}], {options}}}
    - {{name: kept, type: filter, from: made, where: '{where}'}}
  sinks:
    - {{name: out, type: stdout, from: kept}}
"""


def made(records, options="", kind="generate.copula", where="true"):
    """The synthetic records of a list of records, of those that meet a CEL condition."""
    with tempfile.TemporaryDirectory(prefix="millrace-generators-") as folder:
        with open(Path(folder) / "rows.jsonl", "w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record) + "\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(folder=folder, names=", ".join(records[0]),
                                            options=options, kind=kind, where=where),
                            encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def drawn(records, count, batch, options="", kind="generate.copula", where="true"):
    """count synthetic records of a model that has learned all records, in batches of which their
    number is a multiple but for a few: each of some more records has a thousand made."""
    learned = len(records) // batch * batch
    rounds = -(-count // 1000)
    extra = records + [records[-1]] * max(0, learned + rounds - len(records))
    assert len(extra) - learned < batch, "the extra records would be learned"
    found = made(extra, f"learn_batch: {batch}, min_records: {learned}, ratio: 1000, {options}",
                 kind, where)
    return found[:count]
