"""Fixtures of the tests on a real Kubernetes control plane. They run in namespaces of their own
(sandbox.enclose), so that ports and addresses are nobody else's."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import millrace  # noqa: E402
import sandbox  # noqa: E402
from control_plane import CACHE, CLUSTER, KUBECTL, ControlPlane  # noqa: E402
from runner import Runner  # noqa: E402


def missing():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "the process runner needs root rights for namespaces and mounts"
    if not KUBECTL.exists() or not CLUSTER.exists():
        return f"there is no control plane: run {CLUSTER} build"
    return None


def pytest_configure(config):
    config.millrace_missing = missing()
    if config.millrace_missing is None:
        sandbox.enclose()


@pytest.fixture(scope="session")
def plane(pytestconfig):
    if pytestconfig.millrace_missing:
        pytest.skip(pytestconfig.millrace_missing)
    folder = tempfile.mkdtemp(prefix="millrace-kubernetes-")
    found = ControlPlane(folder)
    try:
        yield found.start()
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)


def make_runner(plane, namespace, folder, **options):
    return Runner(plane.api, namespace, folder, millrace.BUILD / "bin", plane.authority,
                  extra=[CACHE / "librdkafka"] if (CACHE / "librdkafka").exists() else [],
                  **options)


@pytest.fixture
def runners(plane, tmp_path):
    """Makes the runner of a namespace; ended with the test. What it did is printed, which pytest
    shows when the test fails."""
    started = []

    def start(namespace, **options):
        found = make_runner(plane, namespace, tmp_path / namespace, **options)
        started.append(found)
        return found.start()

    yield start
    for found in started:
        found.stop()
        print(found.logs())
        print("\n".join(found.failures))


@pytest.fixture(scope="session")
def kafka(plane):
    """A broker that pods reach at the bridge's address."""
    folder = tempfile.mkdtemp(prefix="millrace-kubernetes-kafka-")
    control = f"127.0.0.1:{millrace.free_port()}"
    found = millrace.Kafka(folder)
    found.brokers = f"{sandbox.BRIDGE}:{found.port}"
    for setting in (f"listeners=BROKER://0.0.0.0:{found.port},CONTROLLER://{control}",
                    f"advertised.listeners=BROKER://{found.brokers}",
                    f"controller.quorum.voters=1@{control}"):
        found.options += ["--property", setting]
    try:
        yield found.start()
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)
