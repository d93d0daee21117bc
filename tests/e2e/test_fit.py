"""`millrace fit` on a real topic: what comes is learned, also what comes while it waits, and the
topology that it writes makes such a stream on Kafka."""

import json
import math
import random
import subprocess

from millrace import PROGRAM

RECORDS, STEP_MS = 2000, 500


def records(count, first=0):
    """Readings of 10 devices, one every STEP_MS of event time, with a season of two minutes."""
    draw = random.Random(first)
    for number in range(first, first + count):
        at = 1_700_000_000_000 + number * STEP_MS
        value = 20 + 5 * math.sin(2 * math.pi * at / 120_000) + draw.gauss(0, 0.5)
        device = f"d{draw.choices(range(10), [1 / k for k in range(1, 11)])[0]}"
        yield device, {"device": device, "value": round(value, 3), "at": at,
                       "note": None if number % 5 == 0 else "ok"}


def produce(kafka, topic, items):
    kafka.produce(topic, [(key, json.dumps(value)) for key, value in items])


def words(kafka, topic, out, *more):
    return [str(PROGRAM), "fit", "--brokers", kafka.brokers, "--topic", topic, "--key", "device",
            "--timestamp", "at", "--out", str(out), "-o", "json", *more]


def run(words_given):
    return subprocess.run(words_given, capture_output=True, text=True, timeout=120, check=False)


def test_a_topic_is_fitted(kafka, tmp_path):
    kafka.create("readings-fit")
    produce(kafka, "readings-fit", records(RECORDS))
    out = tmp_path / "model.yaml"
    done = run(words(kafka, "readings-fit", out))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == RECORDS and not found["timed_out"]
    assert found["arrival"]["kind"] == "regular" and abs(found["arrival"]["rate"] - 2) < 1e-6
    assert found["keys"]["count"] == 10 and abs(found["keys"]["exponent"] - 1) < 0.15
    series = {one["field"]: one for one in found["seasons"]}
    assert series["value"]["seasons"][0]["period_ms"] == 120_000
    nulls = {field["name"]: field["null_rate"] for field in found["fields"]}
    assert nulls["note"] == 0.2
    drawn = run([str(PROGRAM), "generate", str(out), "-n", "500"])
    assert drawn.returncode == 0, drawn.stderr
    rows = [json.loads(line) for line in drawn.stdout.splitlines()]
    assert len(rows) == 500 and {row["note"] for row in rows} == {None, "ok"}


def test_it_waits_for_enough_records(kafka, tmp_path):
    kafka.create("waiting-fit")
    produce(kafka, "waiting-fit", records(300))
    out = tmp_path / "model.yaml"
    done = run(words(kafka, "waiting-fit", out, "--timeout", "2s"))
    assert done.returncode == 1 and not out.exists()
    assert "until the timeout ended, 300 records" in done.stderr.replace("gave ", "")
    waiting = subprocess.Popen(words(kafka, "waiting-fit", out), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        produce(kafka, "waiting-fit", records(300, 300))
        output, errors = waiting.communicate(timeout=100)
    finally:
        waiting.kill()
    assert waiting.returncode == 0, errors
    assert json.loads(output)["rows"] >= 500


def test_the_topology_makes_such_a_topic(kafka, tmp_path):
    kafka.create("source-fit")
    produce(kafka, "source-fit", records(RECORDS))
    out, topology = tmp_path / "model.yaml", tmp_path / "like.yaml"
    done = run(words(kafka, "source-fit", out, "--topology", str(topology)))
    assert done.returncode == 0, done.stderr
    text = topology.read_text()
    assert "rate: 2.000000/s" in text and "arrival: regular" in text
    assert 'topic: "source-fit-like"' in text and 'key: ["device"]' in text
    topology.write_text(text.replace("rate: 2.000000/s", f"rate: 2000/s\n      step: {STEP_MS}ms\n"
                                     f"      count: {RECORDS}"))
    made = run([str(PROGRAM), "run", "--brokers", kafka.brokers, "--cluster", "fit-like",
                "--state-dir", str(tmp_path / "state"), "--until-end", str(topology)])
    assert made.returncode == 0, made.stderr
    again = run(words(kafka, "source-fit-like", tmp_path / "again.yaml"))
    assert again.returncode == 0, again.stderr
    one, other = json.loads(done.stdout), json.loads(again.stdout)
    assert other["rows"] == RECORDS
    assert other["arrival"]["kind"] == "regular" and other["arrival"]["rate"] == 2
    assert other["arrival"]["begin_ms"] == one["arrival"]["begin_ms"]
    assert abs(other["keys"]["exponent"] - one["keys"]["exponent"]) < 0.15
    season = other["seasons"][0]["seasons"][0]
    assert season["period_ms"] == 120_000 and abs(season["amplitude"] - 5) < 0.2
    nulls = {field["name"]: field["null_rate"] for field in other["fields"]}
    assert abs(nulls["note"] - 0.2) < 0.04
    keys = {message.key() for part in kafka.read("source-fit-like").values() for message in part}
    assert keys <= {f"d{number}".encode() for number in range(10)} and len(keys) >= 8


def test_what_cannot_be_read(kafka, tmp_path):
    out = tmp_path / "model.yaml"
    done = run(words(kafka, "nothing-fit", out))
    assert done.returncode == 1 and "nothing-fit" in done.stderr
    kafka.create("empty-fit")
    done = run(words(kafka, "empty-fit", out, "--timeout", "1s"))
    assert done.returncode == 1 and "gave 0 records" in done.stderr
    kafka.create("bytes-fit")
    kafka.produce("bytes-fit", [("k", "no json")] * 600)
    done = run(words(kafka, "bytes-fit", out, "--timeout", "1s"))
    assert done.returncode == 1 and "gave 0 JSON objects" in done.stderr
    done = run([str(PROGRAM), "fit", "--brokers", "127.0.0.1:1", "--topic", "t", "--out", str(out)])
    assert done.returncode == 3 and "127.0.0.1:1" in done.stderr
    assert not out.exists() and not list(tmp_path.iterdir())
