"""Fixtures: one broker for the whole run, fresh topics for each test."""

import itertools
import os
import shutil
import signal
import tempfile

import pytest

import millrace
from chaos import Scene
from preload import ClockFaults
from stage import Stage

counter = itertools.count()


def pytest_collection_modifyitems(items):
    if not millrace.PROGRAM.exists():
        raise pytest.UsageError(f"{millrace.PROGRAM} is missing: run script/build dev")


@pytest.fixture(scope="session")
def kafka():
    directory = tempfile.mkdtemp(prefix="millrace-e2e-kafka-")
    broker = millrace.Kafka(directory).start()
    yield broker
    broker.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def unique():
    """A name no other test uses."""
    return f"t{os.getpid()}-{next(counter)}"


@pytest.fixture
def runs():
    """Processes that a test starts end with it."""
    started = []

    def start(*words, **options):
        run = millrace.Run(*words, **options)
        started.append(run)
        return run

    yield start
    for run in started:
        if run.alive():
            run.process.send_signal(signal.SIGCONT)
            run.kill()
        if run.log:
            run.log.close()


@pytest.fixture
def stage(kafka, unique, runs, tmp_path):
    """Names, files and runs of one test."""
    return Stage(kafka, unique, runs, tmp_path)


@pytest.fixture
def scenes(kafka, unique, tmp_path):
    """Clusters under faults (chaos.Scene). Their processes end with the test; when it fails, their
    logs are in its output."""
    started = []

    def start(broker=None, folder="scene"):
        scene = Scene(broker or kafka, f"{unique}-{len(started)}", tmp_path / folder)
        started.append(scene)
        return scene

    yield start
    for scene in started:
        scene.end()
        print(scene.cluster.logs(6000))


@pytest.fixture
def scene(scenes):
    return scenes()


@pytest.fixture
def clock(tmp_path):
    """A wall clock that jumps, for processes that get its environment."""
    return ClockFaults(tmp_path)
