"""State = fold of the changelog = recomputation from the input, after kills at random times."""

import json
import random
import struct
import subprocess
import time

from millrace import BUILD, Welford, check_outputs, readings, zscore_topology

PROGRESS_KEY = b"\0\0\0\0progress"
OBJECT, TABLE, LIFE = 2, 1, 4
RECORDS, MORE, KEYS, KILLS = 60_000, 10_000, 700, 6


def fold(messages):
    """Last value per key; tombstones and the progress record left out."""
    state = {}
    for message in messages:
        if message.key() == PROGRESS_KEY:
            continue
        if message.value() is None:
            state.pop(message.key(), None)
        else:
            state[message.key()] = message.value()
    return state


def dump(directory):
    program = BUILD / "bin" / "state_dump"
    lines = subprocess.run([str(program), str(directory)], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    pairs = [line.split(" ") for line in lines if not line.startswith("#")]
    return {bytes.fromhex(key): bytes.fromhex(value) for key, value in pairs}


def moments(stored):
    """Count, mean and sum of squares of detect.zscore's object (no time, no slots in its head)."""
    layout, version = struct.unpack(">BH", stored[:3])
    assert (layout, version) == (0x10, 0x101), stored.hex()  # of the stage, of the model
    flags, seen, mode, count, mean, squares = struct.unpack("<BQBQdd", stored[3:])
    assert (flags, mode, seen) == (0, 0, count)
    return count, mean, squares


def test_state_equals_changelog_equals_recomputation(kafka, unique, runs, tmp_path):
    source, sink = kafka.create(unique + "-in"), kafka.create(unique + "-out")
    topology = zscore_topology(tmp_path / "scores.yaml", source, sink, name=unique)
    state, log = tmp_path / "state", tmp_path / "log"
    kafka.produce(source, readings(RECORDS, KEYS))
    chance = random.Random(11)
    for index in range(KILLS):
        run = runs(topology, brokers=kafka.brokers, cluster=unique, state=state, log=log)
        start = RECORDS + index * MORE
        kafka.produce(source, readings(MORE, KEYS, start=start, seed=start))
        time.sleep(chance.uniform(0.2, 1.5))
        run.kill()
    code, _, _ = runs(topology, brokers=kafka.brokers, cluster=unique, state=state, until_end=True,
                      log=log).wait(200)
    assert code == 0, log.read_text()[-3000:]
    assert check_outputs(kafka, source, sink) == RECORDS + KILLS * MORE

    changelog, = [name for name in kafka.topics()
                  if name.startswith(unique + ".") and name.endswith(".changelog")]
    logged, inputs = kafka.read(changelog), kafka.read(source)
    folders = sorted(path for path in state.glob("*/*/*") if path.is_dir())
    assert [path.name for path in folders] == ["0", "1", "2", "3"]
    compared = 0
    for partition, folder in enumerate(folders):
        folded = fold(logged[partition])
        assert dump(folder) == folded
        models = {}
        for message in inputs[partition]:
            record = json.loads(message.value())
            models.setdefault(record["sensor"].encode(), Welford()).score(record["value"])
        objects = {key[5:]: value for key, value in folded.items() if key[4] == OBJECT}
        assert all(key[4] in (OBJECT, TABLE, LIFE) for key in folded)
        assert set(objects) == set(models)
        for sensor, model in models.items():
            assert moments(objects[sensor]) == (model.n, model.mean, model.m2), sensor
        compared += len(models)
    assert compared == KEYS
