"""Every file under examples/ is valid; those that need no Kafka run and do what they show."""

import json
import os
import signal
import subprocess
import time

import pytest

from millrace import PROGRAM, ROOT, Run

EXAMPLES = sorted((ROOT / "examples").glob("*/*.yaml"))
OPERATORS = ROOT / "examples" / "operators"


def millrace(*words, environment=None):
    return subprocess.run(
        [str(PROGRAM), *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=dict(os.environ, **(environment or {})),
    )


def shown(name):
    """The records that an operator's example writes to standard output."""
    result = millrace("run", OPERATORS / f"{name}.yaml", "--until-end", "--quiet")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_valid_and_planned(path):
    result = millrace("validate", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "error" not in result.stdout + result.stderr
    result = millrace("plan", path)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_every_operator_and_generator_has_an_example():
    types = {
        line.split()[0] for line in millrace("docs").stdout.splitlines() if line.startswith("  ")
    }
    named = {path.stem for path in OPERATORS.glob("*.yaml")}
    assert types - named <= {"file", "kafka", "memory", "stdout", "bytes", "csv", "json", "string"}


def test_each_demand_of_the_operators_is_tested_below():
    tested = {name for name in EXPECTED} | {"generate.random", "metrics"}
    assert {path.stem for path in OPERATORS.glob("*.yaml")} == tested


EXPECTED = {
    "join.interval": lambda rows: sorted(rows, key=lambda row: row["order"]) == [
        {"missing": 5, "order": "A1"}, {"missing": 0, "order": "A2"},
    ],
    "join.table": lambda rows: sorted(rows, key=lambda row: row["user"]) == [
        {"user": "ada", "page": "/home", "person": {"name": "ada", "country": "Sweden"}},
        {"user": "bob", "page": "/help", "person": {"name": "bob", "country": "Germany"}},
        {"user": "eve", "page": "/home"},
    ],
    "join.lookup": lambda rows: [(row["item"], row["euros"]) for row in rows] == [
        ("lamp", 25), ("vase", 20),
    ],
    "filter": lambda rows: [row["value"] for row in rows] == [20.5, 22.0],
    "map": (
        lambda rows: rows == [
            {"fahrenheit": 212.0, "celsius": 100, "hot": True, "sensor": "s1"},
            {"fahrenheit": 32.0, "celsius": 0, "hot": False, "sensor": "s2"},
        ]
    ),
    "flat_map": (
        lambda rows: rows == [
            {"sensor": "s1", "value": 1.5},
            {"sensor": "s1", "value": 2.5},
            {"sensor": "s1", "value": 3.5},
            {"sensor": "s3", "value": 9},
        ]
    ),
    "branch": (
        lambda rows: {row["sensor"]: row.get("level") for row in rows}
        == {"s1": "high", "s2": None, "s3": "low"}
    ),
    "merge": lambda rows: sorted(row["value"] for row in rows) == [1.0, 2.0, 10.0],
    "rank": (
        lambda rows: [(row["bidder"], row["place"]) for row in rows if row["article"] == "lamp"]
        == [("ann", 1), ("bob", 1), ("ann", 2), ("dan", 2)]
    ),
    "key_by": (
        lambda rows: sorted((row["order"], row["ts"]) for row in rows)
        == [("o1", 1000), ("o2", 2000)]
    ),
    "sort": (
        lambda rows: [row["ts"] for row in rows if row["sensor"] == "s1"]
        == [1000, 3000, 9000, 12000]
        and len(rows) == 5
    ),
    "buffer": lambda rows: [row["ts"] for row in rows] == [1000, 2000, 3000],
    "deduplicate": (
        lambda rows: sorted((row["id"], row["ts"]) for row in rows)
        == [("a", 1000), ("a", 61000), ("b", 2000)]
    ),
    "aggregate": (
        lambda rows: sorted((row["sensor"], row["readings"], row["highest"]) for row in rows)
        == [("s1", 1, 20), ("s1", 2, 22), ("s1", 3, 22), ("s2", 1, 5)]
    ),
    "window.aggregate": (
        lambda rows: [(row["sensor"], row["window_end"], row["readings"], row["mean"])
                      for row in rows if "mean" in row]
        == [("s1", 10000, 2, 21), ("s2", 10000, 1, 5), ("s1", 30000, 1, 30)]
        and [row["value"] for row in rows if "value" in row] == [99.0]
    ),
    "window.aggregate.days": (
        lambda rows: [(row["euros"], (row["window_end"] - row["window_start"]) // 3600000)
                      for row in rows] == [(5, 24), (320, 23), (1, 24)]
    ),
    "window.aggregate.sliding": (
        lambda rows: [(row["window_end"], row["payments"], row["euros"])
                      for row in rows if row["card"] == "c1"]
        == [(10001, 1, 20), (30001, 2, 25), (40001, 3, 325), (70001, 3, 306)]
        and len(rows) == 5
    ),
    "quality.duplicates": lambda rows: [(row["id"], row["ts"]) for row in rows] == [("o1", 61000)],
    "quality.profile": (
        lambda rows: sorted((row["plant"], row["records"], row["passed"]) for row in rows)
        == [("north", 4, False), ("south", 1, True), ("south", 1, True)]
    ),
    "quality.synthetic": (
        lambda rows: [(row["synthetic_records"], row["passed"], row["new_rows"]) for row in rows]
        == [(4, False, 1)]
    ),
    "detect.threshold": (
        lambda rows: [(row["metric_value"], row["severity"]) for row in rows]
        == [(6.5, "critical"), (0.3, "critical")]
    ),
    "detect.zscore": lambda rows: [row["ts"] for row in rows] == [21000],
    "detect.robust_z": lambda rows: [row["ts"] for row in rows] == [7000, 22000],
    "detect.ewma": (
        lambda rows: rows and {row["value"] for row in rows} == {20.9} and rows[0]["ts"] > 21000
    ),
    "detect.forecast": lambda rows: [row["ts"] for row in rows] == [17000],
    "detect.matrix_profile": lambda rows: [row["seq"] for row in rows] == [700, 701, 702],
    "detect.spectral_residual": lambda rows: [row["seq"] for row in rows] == [500, 650],
    "detect.seasonal_esd": lambda rows: [row["seq"] for row in rows] == [360],
    "detect_control": (
        lambda rows: [row["ts"] for row in rows if "ts" in row] == [21000]
        and [row["state"] for row in rows if "state" in row] == ["open"]
    ),
    "detect.ensemble": lambda rows: [row["seq"] for row in rows] == [300, 301, 355],
    "detect.heartbeat": lambda rows: [(row["key"], row["state"], row["event_time"]) for row in rows]
    == [("s2", "open", 32001), ("s2", "resolved", 47000)],
    "quality.rules": (
        lambda rows: len(rows) == 41
        and {name for row in rows for name in row["quality"]["failed"]}
        == {"id_shape", "amount_plausible", "unit_known", "customer_known", "in_order"}
    ),
    "quality.checkpoint": (
        lambda rows: len(rows) == 30
        and {row["seq"] for row in rows if not row["quality"]["passed"]}
        == {1, 3, 5, 7, 9, 10, 12, 14, 16, 18}
    ),
    "evaluate.detection": (
        lambda rows: len(rows) == 1
        and rows[0]["records"] == 100000
        and rows[0]["recall"] >= 0.95
        and rows[0]["precision"] >= 0.9
        and rows[0]["episodes_missed"] == rows[0]["episodes"] - rows[0]["episodes_found"]
    ),
    "quality.score": (
        lambda rows: [row["state"] for row in rows] == ["open"] + 4 * ["update"] + ["resolved"]
        and len({row["id"] for row in rows}) == 1
    ),
    "detect.rate": lambda rows: [(row["count"], row["anomaly"]["is_anomaly"]) for row in rows]
    == [(60, True), (0, True)],
    "detect.new_value": lambda rows: [row["seq"] for row in rows] == [400],
    "detect.rare_value": lambda rows: [row["seq"] for row in rows] == [449, 899],
    "detect.spot": lambda rows: [row["ts"] for row in rows] == [61000],
    "detect.dspot": lambda rows: [row["ts"] for row in rows] == [81000],
    "detect.nearest": lambda rows: [row["seq"] for row in rows] == [300],
    "detect.half_space_trees": lambda rows: [row["ts"] for row in rows] == [43000],
    "detect.hampel": (
        lambda rows: [(row["seq"], row["anomaly"]["filtered"]) for row in rows]
        == [(40, 20.5), (41, 20.5)]
    ),
    "detect.iqr": (
        lambda rows: [(row["seq"], row["anomaly"]["severity"]) for row in rows]
        == [(45, "warning"), (50, "critical")]
    ),
    "detect.loda": lambda rows: [row["ts"] for row in rows] == [41000],
    "detect.random_cut_forest": lambda rows: [row["ts"] for row in rows] == [61000],
    "detect.relative_entropy": lambda rows: [row["seq"] for row in rows] == [148, 157],
    "detect.knn_cad": lambda rows: [row["ts"] for row in rows] == [91000],
    "detect.isolation_forest": lambda rows: [row["ts"] for row in rows] == [81000],
    "detect.mahalanobis": lambda rows: [row["ts"] for row in rows] == [11000],
    "drift.adwin": lambda rows: [row["seq"] for row in rows] == [319],
    "drift.kswin": lambda rows: len(rows) == 1 and 300 < rows[0]["seq"] < 400,
    "drift.page_hinkley": lambda rows: [row["seq"] for row in rows] == [308],
    "drift.ddm": lambda rows: [row["seq"] for row in rows] == [348],
    "drift.eddm": lambda rows: [row["seq"] for row in rows] == [444],
    "drift.hddm_a": lambda rows: [row["seq"] for row in rows] == [384],
    "drift.hddm_w": lambda rows: [row["seq"] for row in rows] == [328],
    "spc.c": lambda rows: [(row["ts"], row["spc"]["upper"]) for row in rows] == [(3000, 18)],
    "spc.np": lambda rows: [(row["ts"], row["spc"]["value"]) for row in rows] == [(3000, 10)],
    "spc.p": lambda rows: sorted((row["ts"], row["spc"]["value"]) for row in rows)
    == [(3000, 0.12), (4000, None)],
    "spc.p.items": lambda rows: [(row["checked"], row["spc"]["value"]) for row in rows]
    == [(2, 0.5), (1, 0), (1, 0)],
    "spc.u": lambda rows: [(row["ts"], row["spc"]["value"]) for row in rows] == [(3000, 2.75)],
    "spc.capability": lambda rows: [(row["size"], row["rating"]) for row in rows]
    == [(6, "marginal")],
    "spc.mewma": lambda rows: [row["ts"] for row in rows] == [6000, 7000, 8000],
    "spc.t2": lambda rows: [(row["ts"], row["spc"]["point"]) for row in rows] == [(3000, 3)],
    "spc.xbar_t2": lambda rows: [row["is_anomaly"] for row in rows] == [False, True],
    "spc.cusum": lambda rows: [row["ts"] for row in rows] == [7000, 8000],
    "spc.ewma": lambda rows: [row["ts"] for row in rows] == [6000, 7000, 8000],
    "spc.i_mr": lambda rows: [(row["ts"], row["spc"]["point"]) for row in rows] == [(3000, 3)],
    "spc.xbar_r": lambda rows: [(row["subgroup"], row["size"], row["state"]) for row in rows]
    == [(1, 2, "learning"), (2, 2, "learning")],
    "spc.xbar_s": lambda rows: [(row["window_end"], row["size"], row["state"]) for row in rows]
    == [(60000, 2, "armed"), (120000, 1, "starved"), (180000, 1, "starved")],
    "voxel.aggregate": lambda rows: [
        (row["ix"], row["layer"], row["signals"]["temperature"]["n"]) for row in rows
    ]
    == [(0, 0, 2), (1, 0, 1), (1, 1, 1)],
    "voxel_reset": lambda rows: [row["ix"] for row in rows] == [0, 7],
    "generate.timeseries": lambda rows: {row["kind"] for row in rows} == {
        "spike", "level_shift", "gap", "duplicate", "reorder", "stuck",
    } and len({row["episode"] for row in rows}) == 19,
    "generate.datagen": lambda rows: len(rows) == 137 and all(
        row["city"] == "Rome" and row["reference"] == f"South/{row['sku']}/{row['order']}"
        for row in rows
    ),
    "generate.shuffle": lambda rows: {row["records"] for row in rows} >= {10, 20, 30, 40}
    and {row["rule"] for row in rows} == set(range(1, 21)),
    "generate.sequence": lambda rows: [row["seq"] for row in rows] == [100, 101, 102, 103, 104],
    "generate.copula": (
        lambda rows: len(rows) == 148
        and {row["country"] for row in rows} == {"SE", "DE", "FR"}
        and sum(row["express"] == (row["amount"] > 90) for row in rows) > 125
    ),
    "generate.bootstrap": (
        lambda rows: len(rows) == 148
        and {row["by"] for row in rows} == {"hand", "machine"}
        and all(abs(row["height"] - row["distance"] * (10 - row["distance"])) < 4 for row in rows)
    ),
    "generate.network": (
        lambda rows: 20 < len(rows) < 180
        and all(row["gender"] == "F" and row["placed"] is False for row in rows)
        and all(50 <= row["second_perc"] < 80 for row in rows)
        and rows[0]["_batch_id"] == "batch-001"
    ),
    "generate.copula.source": (
        lambda rows: 5 < len(rows) < 35
        and all(row["age"] > 50 and row["plan"] in ("basic", "pro") for row in rows)
        and {row["_batch_id"] for row in rows} <= {f"batch-00{i}" for i in range(1, 5)}
    ),
    "generate.bootstrap.source": (
        lambda rows: len(rows) == 30
        and {row["status"] for row in rows} == {"busy"}
        and all(row["load"] >= 50 and row["parts"] is not None for row in rows)
    ),
    "generate.markov.source": (
        lambda rows: len(rows) == 60
        and [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
        and {row["key"] for row in rows} == {f"customer-0000{key}" for key in range(3)}
        and all(
            other["state"] in {"placed": ("paid", "given_up"), "paid": ("packed",),
                               "packed": ("delivered",)}[one["state"]]
            and other["ts"] == one["ts"] + one["dwell_ms"]
            for one in rows
            for other in rows
            if (other["sequence"], other["number"]) == (one["sequence"], one["number"] + 1)
        )
    ),
    "model.merge": (
        lambda rows: (told := [row for row in rows if "model" in row])[-1]["learners"] == 4
        and told[-1]["rows"] == 4096
        and [row["version"] for row in told] == sorted({row["version"] for row in told})
        and told[-1]["version"] == 16 == told[-1]["model"]["version"]
        and len(rows) - len(told) == 5
        and all(row["country"] in ("SE", "DE", "FR") for row in rows if "model" not in row)
    ),
    "generate.model": (
        lambda rows: len(rows) == 20
        and all(row["age"] > 50 and row["plan"] in ("free", "basic", "pro") for row in rows)
        and {row["_batch_id"] for row in rows} == {"batch-001", "batch-002"}
    ),
    "generate.markov": (
        lambda rows: {row["sequence"] for row in rows} == {"synthetic-0-00000", "synthetic-0-00001"}
        and {row["state"]: row["dwell_ms"] for row in rows}
        == {"idle": 2000, "busy": 7000, "done": 1000}
        and all(
            (one["state"], other["state"]) in {("idle", "busy"), ("busy", "done"), ("done", "idle")}
            for one, other in zip(rows[::2], rows[2::2])
        )
    ),
    "generate.nexmark": (
        lambda rows: [row["event_type"] for row in rows] == [0, 1, 1, 1, 2, 2]
        and [row.get("id") for row in rows] == [1000, 1000, 1001, 1002, None, None]
    ),
    "file_csv": (
        lambda rows: [row["anomaly"]["is_anomaly"] for row in rows] == [False, True, False]
        and rows[2]["sensor"] == "s, two"
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_operator_does_what_it_shows(name):
    rows = shown(name)
    assert EXPECTED[name](rows), rows


def test_the_random_generator_makes_the_same_records_twice():
    first = shown("generate.random")
    assert first and all(row["injected"] for row in first)
    assert first == shown("generate.random")


def test_the_metrics_source_reports_until_it_is_stopped():
    process = subprocess.Popen(
        [str(PROGRAM), "run", str(OPERATORS / "metrics.yaml"), "--quiet"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["operator"] for row in rows} == {"even"}
    assert sum(row["in"] for row in rows) == 1500
    assert sum(row["out"] for row in rows) == 750


def test_quickstart(tmp_path):
    result = millrace(
        "run",
        "examples/quickstart/sensor-anomalies.yaml",
        "--until-end",
        environment={"ANOMALIES": str(tmp_path / "anomalies.jsonl")},
    )
    assert result.returncode == 0, result.stderr
    rows = [
        json.loads(line)
        for path in tmp_path.glob("anomalies-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert sorted((row["sensor"], row["value"]) for row in rows) == [("s1", 900.0), ("s3", 9.5)]
    assert "2 anomalies" in result.stderr


def test_demo_on_few_records(tmp_path):
    (tmp_path / "results").mkdir()
    log = tmp_path / "log"
    result = millrace(
        "run",
        "examples/demo/generate.yaml",
        "examples/demo/detect.yaml",
        "--until-end",
        environment={
            "DEMO_COUNT": "200000",
            "DEMO_RATE": "200000/s",
            "DEMO_RESULTS": str(tmp_path / "results" / "results.jsonl"),
        },
    )
    assert result.returncode == 0, result.stderr
    log.write_text(result.stderr)
    found = tmp_path / "found.jsonl"
    found.write_text("".join(file.read_text() for file in (tmp_path / "results").iterdir()))
    result = millrace("run", "examples/demo/evaluate.yaml", "--until-end", "--quiet",
                      environment={"DEMO_FOUND": str(found)})
    assert result.returncode == 0, result.stderr
    figures = tmp_path / "figures.jsonl"
    figures.write_text(result.stdout)
    # A third of the demo's records: learning takes a tenth of them, so recall stays too low.
    judged = subprocess.run(
        [
            *("python3", "-B", "examples/demo/evaluate.py", tmp_path / "results", figures),
            *(log, log, "200000"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "say otherwise" not in judged.stderr
    assert judged.returncode == 1 and "shall be 0.95" in judged.stderr, (
        judged.stdout + judged.stderr
    )
    assert "recall              " in judged.stdout and "latency" in judged.stdout


def test_a_misspelt_field_does_not_pass_unnoticed(tmp_path):
    topology = tmp_path / "typo.yaml"
    topology.write_text(
        (ROOT / "examples/quickstart/sensor-anomalies.yaml")
        .read_text()
        .replace("field: value", "field: vlaue")
    )
    result = millrace(
        "run", topology, "--until-end", environment={"ANOMALIES": str(tmp_path / "anomalies.jsonl")}
    )
    assert result.returncode == 0
    assert "360 records could not be processed" in result.stderr
    assert "field vlaue is missing" in result.stderr
    assert (
        1 <= result.stderr.count("went to the dead letters") <= os.cpu_count()
    )  # one a task thread


def test_a_followed_file_ends_where_it_ended_at_start(tmp_path):
    """--until-end also ends a source that would wait for more lines."""
    (tmp_path / "in.jsonl").write_text('{"v":1}\n{"v":2}\n')
    topology = tmp_path / "follow.yaml"
    topology.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: follow}}
spec:
  sources:
    - {{name: lines, type: file, path: {tmp_path}/in.jsonl, follow: true}}
  sinks:
    - {{name: out, type: stdout, from: lines}}
""")
    code, out, err = Run(topology, until_end=True).wait(30)
    assert code == 0, err
    assert out == '{"v":1}\n{"v":2}\n'
