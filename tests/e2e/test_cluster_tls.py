"""A whole cluster with TLS: coordinators and workers that check each other, HTTPS with a token.

Who has no certificate of the authority gets no work, and who has no token no answer; a topology
runs, is asked and is drained as without.
"""

import subprocess
import time
from pathlib import Path

import pytest

import millrace
from cluster import Process, wait_until
from millrace import BUILD, free_port
from stage import topology

CERTIFICATES = Path(__file__).resolve().parent.parent / "support" / "make_certificates"
TOKEN = "a-token-of-the-test"


class Sealed:
    """Processes of one cluster in which everything is encrypted."""

    def __init__(self, kafka, name, folder):
        self.kafka, self.name, self.folder = kafka, name, folder
        subprocess.run([CERTIFICATES, folder], check=True)
        self.token = folder / "token"
        self.token.write_text(TOKEN + "\n")
        self.listen, self.http, self.processes = free_port(), free_port(), []

    def file(self, name):
        return self.folder / f"{name}.pem"

    def start(self, program, log, *words):
        process = Process([BUILD / "bin" / program, "--cluster", self.name,
                           "--brokers", self.kafka.brokers, *words], self.folder / log).start()
        self.processes.append(process)
        return process

    def coordinator(self, *more):
        return self.start(
            "millrace-coordinator", "coordinator.log",
            "--listen", f"tls+tcp://127.0.0.1:{self.listen}",
            "--advertise", f"tls+tcp://localhost:{self.listen}",
            "--listen-tls-certificate", self.file("server"),
            "--listen-tls-key", self.file("server-key"),
            "--listen-tls-authority", self.file("authority"),
            "--http", f"127.0.0.1:{self.http}", "--http-advertise", f"localhost:{self.http}",
            "--http-certificate", self.file("server"), "--http-key", self.file("server-key"),
            "--http-authority", self.file("authority"), "--http-token-file", self.token, *more)

    def worker(self, name, certificate="client", scheme="tls+tcp"):
        http = free_port()
        tls = ["--tls-certificate", self.file(certificate),
               "--tls-key", self.file(certificate + "-key"),
               "--tls-authority", self.file("authority")] if scheme == "tls+tcp" else []
        return self.start(
            "millrace-worker", f"{name}.log", "--name", name, "--threads", "1",
            "--coordinators", f"{scheme}://localhost:{self.listen}",
            "--state-dir", self.folder / f"state-{name}",
            "--http", f"127.0.0.1:{http}", "--http-advertise", f"localhost:{http}",
            "--http-certificate", self.file("server"), "--http-key", self.file("server-key"),
            "--http-token-file", self.token, *tls)

    def ask(self, *words, token=True, authority="authority"):
        """`millrace WORDS`: exit code, output and errors together."""
        access = ["--server", f"https://localhost:{self.http}",
                  "--ca-file", self.file(authority)]
        access += ["--token-file", self.token] if token else []
        done = subprocess.run([millrace.PROGRAM, *words, *access], capture_output=True, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def sealed(kafka, unique, tmp_path):
    made = Sealed(kafka, unique, tmp_path)
    yield made
    for process in made.processes:
        process.end()


def test_a_cluster_with_tls(sealed):
    kafka, name = sealed.kafka, sealed.name
    source, sink = kafka.create(name + "-in", 2), kafka.create(name + "-out", 2)
    path = topology(
        sealed.folder / "scored.yaml", name,
        f"- {{name: readings, type: kafka, topic: {source}, key: [sensor]}}",
        f"- {{name: scores, type: kafka, from: score, topic: {sink}, key: [sensor]}}",
        "- {name: score, type: detect.zscore, from: readings, key: [sensor], field: value}")
    kafka.produce(source, millrace.readings(2000, 20))
    sealed.coordinator()
    trusted = sealed.worker("trusted")
    strangers = [sealed.worker("stranger", certificate="other"),
                 sealed.worker("plain", scheme="tcp")]
    wait_until(lambda: sealed.ask("workers")[0] == 0, 60, 0.3, "an answer by HTTPS")
    wait_until(lambda: "trusted" in sealed.ask("workers")[1], 60, 0.3, "the trusted worker")
    wait_until(lambda: sealed.ask("submit", path)[0] == 0, 60, 0.5, "the submit")
    wait_until(lambda: sum(kafka.ends(sink).values()) >= 2000, 60, 0.3, "the results")
    code, text = sealed.ask("workers")
    assert code == 0 and "stranger" not in text and "plain" not in text, text
    code, text = sealed.ask("query", name, "score", "s-00001")
    assert code == 0 and "count" in text, text
    for stranger in strangers:
        assert stranger.alive() and "task restored" not in stranger.text()
    assert "no coordinator" in wait_until(
        lambda: strangers[0].text() if "no coordinator" in strangers[0].text() else None, 30)
    assert trusted.stop() == 0


def test_who_has_no_token_or_trust_is_told(sealed):
    sealed.coordinator()
    wait_until(lambda: sealed.ask("list")[0] == 0, 60, 0.3, "an answer by HTTPS")
    code, text = sealed.ask("list", token=False)
    assert code == 1 and "token" in text, (code, text)
    code, text = sealed.ask("list", authority="other-authority")
    assert code == 3 and "certificate" in text.lower(), (code, text)
    time.sleep(0.1)
    logs = "".join(process.text() for process in sealed.processes)
    assert TOKEN not in logs
