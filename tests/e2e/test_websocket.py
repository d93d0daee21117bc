"""Generators over WebSocket, as the users' clients ask for them: both dialects, many connections,
slow readers, garbage, TLS, a page in a browser, and a cluster.
"""

import base64
import http.server
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from cluster import Cluster, Process, wait_until
from millrace import BUILD, free_port
from test_cluster_tls import TOKEN, Sealed

CERTIFICATES = Path(__file__).resolve().parent.parent / "support" / "make_certificates"
FIELDS = {"amount", "country", "express"}
METADATA = {"_generated_at", "_batch_id"}

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: NAME}
spec:
  sources:
    - name: orders
      type: generate.random
      count: 2000
      seed: 7
      fields:
        - {name: amount, distribution: normal, mean: 80, sd: 12, decimals: 2}
        - {name: country, distribution: choice, values: [SE, DE, FR]}
  operators:
    - {name: priced, type: map, from: orders, set: {express: 'amount > 90.0'}}
    - name: synthetic
      type: generate.copula
      learn: priced
      key: []
      fields: [amount, country, express]
      ratio: 0.1
  sinks:
    - {name: shown, type: stdout, from: synthetic}
"""


class Server:
    """`millrace run` of topologies with a generator `synthetic` each."""

    def __init__(self, folder, *more, names=("shop",), kind="generate.copula"):
        self.port = free_port()
        paths = []
        for name in names:
            paths.append(folder / f"{name}.yaml")
            paths[-1].write_text(TOPOLOGY.replace("NAME", name).replace("generate.copula", kind))
        self.process = Process(
            [BUILD / "bin" / "millrace", "run", "--quiet", "--threads", "1", "--websocket",
             f"127.0.0.1:{self.port}", *more, *paths], folder / "run.log").start()

    def url(self, path="/synthetic"):
        return f"ws://127.0.0.1:{self.port}{path}"

    def connect(self, path="/synthetic", **options):
        """A connection to a generator that has learned something."""
        found = []

        def try_it():
            assert self.process.alive(), self.process.text()
            try:
                client = connect(self.url(path), **options)
            except (InvalidStatus, OSError):
                return False
            if "data" not in ask(client, action="generate", n_samples=1):
                client.close()
                return False
            found.append(client)
            return True

        wait_until(try_it, 30, 0.1, f"a model at {path}: {self.process.text()[-500:]}")
        return found[0]


def ask(client, **request):
    client.send(json.dumps(request))
    return json.loads(client.recv(timeout=30))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("websocket"))
    yield started
    started.process.end()


def test_the_first_dialect(server):
    with server.connect() as client:
        reply = ask(client, action="generate", n_samples=500,
                    conditions={"amount": {"gte": 85}, "country": "SE"})
        assert set(reply) == {"action", "data", "n_samples"}
        assert (reply["action"], reply["n_samples"], len(reply["data"])) == ("data", 500, 500)
        for record in reply["data"]:
            assert set(record) == FIELDS | METADATA
            assert record["amount"] >= 85 and record["country"] == "SE"
            assert record["_batch_id"] == "batch-001" and record["_generated_at"].endswith("Z")
        client.send(json.dumps({"action": "stream", "n_batches": 10, "batch_size": 100}))
        for index in range(10):
            reply = json.loads(client.recv(timeout=30))
            assert (reply["action"], reply["n_samples"]) == ("batch", 100)
            assert {record["_batch_id"] for record in reply["data"]} == {f"batch-{index + 1:03}"}
        assert json.loads(client.recv(timeout=30)) == {"action": "complete", "n_samples": 1000}


def test_the_second_dialect(server):
    with server.connect("/shop/synthetic") as client:
        client.send(json.dumps({"action": "generate", "count": 250, "batch_size": 100,
                                "conditions": {"express": True}}))
        records = []
        while True:
            reply = json.loads(client.recv(timeout=30))
            if reply["status"] == "complete":
                break
            assert set(reply) == {"records", "status"} and reply["status"] == "batch"
            records += reply["records"]
        assert reply == {"status": "complete", "n_samples": 250}
        assert len(records) == 250 and all(record["express"] is True for record in records)


def test_a_sample_of_rows_is_served(tmp_path):
    """Of generate.bootstrap only what is made from its rows leaves."""
    served = Server(tmp_path, kind="generate.bootstrap")
    try:
        with served.connect() as client:
            reply = ask(client, action="generate", n_samples=200,
                        conditions={"amount": {"gte": 60}, "express": False})
            assert reply["n_samples"] == len(reply["data"]) == 200
            for record in reply["data"]:
                assert set(record) == FIELDS | METADATA
                assert record["amount"] >= 60 and record["express"] is False
    finally:
        served.process.end()


def test_statistics_stop_and_errors(server):
    with server.connect() as client:
        assert ask(client, action="generate")["status"] == "error"
        error = ask(client, action="generate", n_samples=1, conditions={"colour": "red"})
        assert set(error) == {"action", "status", "code", "message"}
        assert "colour" in error["message"] and error["action"] == "error"
        client.send("no JSON at all")
        assert json.loads(client.recv(timeout=30))["code"] == "request"
        client.send(json.dumps({"action": "stream", "batch_size": 10, "rate": 100}))
        rows = [json.loads(client.recv(timeout=30))["n_samples"] for _ in range(3)]
        stats = ask(client, action="stats")
        while stats["action"] == "batch":
            rows.append(stats["n_samples"])
            stats = json.loads(client.recv(timeout=30))
        assert stats["total_samples"] >= 31 and stats["total_batches"] >= 4
        assert stats["elapsed_time"] > 0 and stats["samples_per_second"] > 0
        assert stats["model"]["name"] == "shop/synthetic"
        last = ask(client, action="stop")
        while last["action"] == "batch":
            rows.append(last["n_samples"])
            last = json.loads(client.recv(timeout=30))
        assert last == {"action": "complete", "n_samples": sum(rows)}
        assert ask(client, action="generate", n_samples=3)["n_samples"] == 3


def test_unknown_paths(server):
    with server.connect():
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url("/nothing"))
        assert refused.value.response.status_code == 404
        problem = json.loads(refused.value.response.body)
        assert problem["paths"] == ["/shop/synthetic", "/synthetic"]
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url(), origin="https://example.org")
        assert refused.value.response.status_code == 403


def test_a_hundred_connections(server):
    with server.connect():
        pass
    clients = []
    try:
        for _ in range(100):
            clients.append(connect(server.url()))
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url())
        assert refused.value.response.status_code == 503
        assert "Retry-After" in refused.value.response.headers
        for client in clients:
            client.send(json.dumps({"action": "stream", "n_batches": 3}))
        for client in clients:
            replies = [json.loads(client.recv(timeout=60)) for _ in range(4)]
            assert [reply["n_samples"] for reply in replies] == [100, 100, 100, 300]
    finally:
        for client in clients:
            client.close()


def resident_mib(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_slow_reader_holds_back_only_itself(server):
    rows = 300_000
    slow = server.connect(max_size=None, max_queue=1)
    with server.connect() as other:
        before = resident_mib(server.process.process.pid)
        slow.send(json.dumps({"action": "generate", "count": rows, "batch_size": 1000}))
        slow.recv(timeout=30)
        for _ in range(20):
            assert ask(other, action="generate", n_samples=1000)["n_samples"] == 1000
        assert resident_mib(server.process.process.pid) < before + 40  # of some 30 MB a reader
        got = 1000
        while True:
            reply = json.loads(slow.recv(timeout=30))
            if reply["status"] == "complete":
                break
            got += len(reply["records"])
    assert got == reply["n_samples"] == rows
    slow.close()


def frame(first, payload):
    head = bytes([first, 0x80 | len(payload)])
    return head + b"\0\0\0\0" + payload


@pytest.mark.parametrize("sent, code", [
    (b"\0" * 40, 1002), (b"GET / HTTP/1.1\r\n\r\n", 1002), (b"\x81\x02hi", 1002),
    (frame(0xC1, b"{}"), 1002), (frame(0x83, b"{}"), 1002), (frame(0x80, b"{}"), 1002),
    (frame(0x09, b"x"), 1002), (frame(0x82, b"{}"), 1003), (frame(0x81, b"\xff\xfe"), 1007),
    (frame(0x88, b"\x03\xe8\xff"), 1007), (frame(0x88, struct.pack("!H", 1005)), 1002),
    (b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"mask", 1009),
])
def test_garbage_closes_with_the_right_code(server, sent, code):
    with server.connect() as client:
        client.socket.sendall(sent)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
        assert closed.value.rcvd.code == code


def test_messages_that_are_too_large(server):
    with server.connect() as client:
        client.send(" " * (1 << 16) + "{}")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
        assert closed.value.rcvd.code == 1009
    with server.connect() as client:  # in fragments, each of which would do
        with pytest.raises(ConnectionClosed) as closed:
            client.send([" " * 40_000, " " * 40_000])
            client.recv(timeout=30)
        assert closed.value.rcvd.code == 1009


def test_pings_are_answered_and_a_stop_says_so(tmp_path):
    server = Server(tmp_path)
    try:
        with server.connect(ping_interval=0.05) as client:
            for _ in range(5):
                assert client.ping().wait(10)
            assert server.process.stop() == 0
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=30)
            assert closed.value.rcvd.code == 1001
    finally:
        server.process.end()


def test_wss_with_a_token(tmp_path):
    subprocess.run([CERTIFICATES, tmp_path], check=True)
    (tmp_path / "token").write_text(TOKEN + "\n")
    server = Server(tmp_path, "--websocket-certificate", tmp_path / "server.pem",
                    "--websocket-key", tmp_path / "server-key.pem",
                    "--websocket-token-file", tmp_path / "token")
    server.url = lambda path="/synthetic": f"wss://localhost:{server.port}{path}"
    trust = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    try:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        with server.connect(ssl=trust, additional_headers=bearer) as client:
            assert ask(client, action="generate", n_samples=2000)["n_samples"] == 2000
        with server.connect(f"/synthetic?access_token={TOKEN}", ssl=trust) as client:
            assert ask(client, action="stats")["total_samples"] == 1
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url(), ssl=trust)
        assert refused.value.response.status_code == 401
        with socket.create_connection(("127.0.0.1", server.port)) as plain:  # no TLS: no answer
            plain.settimeout(20)
            plain.sendall(b"GET /synthetic HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                assert not plain.recv(100).startswith(b"HTTP/1.1 101")
            except ConnectionResetError:
                pass
    finally:
        server.process.end()


def test_options_that_would_have_no_effect(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(TOPOLOGY.replace("NAME", "shop"))
    program = [BUILD / "bin" / "millrace", "run", path]
    for words, text in [
        (["--websocket-connections", "5"], "has no effect without --websocket"),
        (["--websocket", "0.0.0.0:0"], "with TLS and a token only"),
        (["--websocket", "127.0.0.1:0", "--websocket-model", path], "shop.yaml"),
    ]:
        done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 1 and text in done.stderr, done.stderr


def test_several_topologies(tmp_path):
    server = Server(tmp_path, "--websocket-connections", "3", names=("east", "west"))
    try:
        with server.connect("/east/synthetic") as east, server.connect("/west/synthetic"):
            with pytest.raises(InvalidStatus) as refused:  # two have the name
                connect(server.url("/synthetic"))
            problem = json.loads(refused.value.response.body)
            assert problem["paths"] == ["/east/synthetic", "/west/synthetic"]
            assert ask(east, action="stats")["model"]["name"] == "east/synthetic"
            with connect(server.url("/east/synthetic")):
                with pytest.raises(InvalidStatus) as refused:
                    connect(server.url("/east/synthetic"))
                assert refused.value.response.status_code == 503
    finally:
        server.process.end()


# ---- A page in a browser ----

PAGE = """<!doctype html><title>generator</title><script>
const rows = [], socket = new WebSocket("URL");
const tell = (result) => fetch("/result", {method: "POST", body: JSON.stringify(result)});
socket.onerror = () => tell({error: "the socket failed"});
socket.onopen = () => socket.send(JSON.stringify(
  {action: "generate", count: 250, batch_size: 100, conditions: {country: "DE"}}));
socket.onmessage = (event) => {
  const reply = JSON.parse(event.data);
  if (reply.status === "batch") rows.push(...reply.records);
  else { tell({last: reply, rows: rows}); socket.close(); }
};
</script>"""


class Page(http.server.BaseHTTPRequestHandler):
    """Serves the page, and takes what it found."""

    def do_GET(self):
        body = self.server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.result = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.told.set()

    def log_message(self, *_arguments):
        pass


@pytest.mark.skipif(shutil.which("chromium") is None,
                    reason="no chromium (Debian's package) on this machine")
def test_a_page_in_a_browser(server, tmp_path):
    with server.connect():
        pass
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    web.page, web.result, web.told = PAGE.replace("URL", server.url()), None, threading.Event()
    threading.Thread(target=web.serve_forever, daemon=True).start()
    browser = Process(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
         f"http://127.0.0.1:{web.server_port}/"], tmp_path / "browser.log").start()
    try:
        assert web.told.wait(60), browser.text()[-2000:]
    finally:
        browser.stop()
        web.shutdown()
    assert web.result["last"] == {"status": "complete", "n_samples": 250}
    assert len(web.result["rows"]) == 250
    assert all(row["country"] == "DE" for row in web.result["rows"])


# ---- A cluster ----

def test_a_coordinator_serves_what_its_workers_learn(kafka, tmp_path):
    port, folder = free_port(), tmp_path
    path = folder / "shop.yaml"
    text = TOPOLOGY.replace("NAME", "shop").replace(
        "{name: shown, type: stdout, from: synthetic}",
        "{name: shown, type: kafka, topic: synthetic-orders, from: synthetic}")
    path.write_text(text)
    kafka.create("synthetic-orders", 1)
    cluster = Cluster(kafka.brokers, "websockets", folder)
    try:
        cluster.coordinator("--websocket", f"127.0.0.1:{port}")
        cluster.worker("w1")
        cluster.submit(path)
        server = Server.__new__(Server)
        server.port, server.process = port, cluster.coordinators[0]
        with server.connect() as client:
            reply = ask(client, action="generate", n_samples=100, conditions={"country": "FR"})
            assert {record["country"] for record in reply["data"]} == {"FR"}
            stats = ask(client, action="stats")
            assert stats["model"]["name"] == "shop/synthetic" and stats["total_samples"] == 101
    finally:
        cluster.end()


def test_a_cluster_with_tls(kafka, unique, tmp_path):
    sealed, port = Sealed(kafka, unique, tmp_path), free_port()
    kafka.create(unique + "-out", 1)
    path = tmp_path / "shop.yaml"
    path.write_text(TOPOLOGY.replace("NAME", unique).replace(
        "type: stdout", f"type: kafka, topic: {unique}-out"))
    trust = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    server = Server.__new__(Server)
    server.url = lambda path="/synthetic": f"wss://localhost:{port}{path}"
    try:
        server.process = sealed.coordinator("--websocket", f"0.0.0.0:{port}")
        sealed.worker("trusted")
        wait_until(lambda: sealed.ask("submit", path)[0] == 0, 60, 0.5, "the submit")
        with server.connect(f"/{unique}/synthetic?access_token={TOKEN}", ssl=trust) as client:
            assert ask(client, action="generate", n_samples=500)["n_samples"] == 500
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url("/synthetic?access_token=wrong"), ssl=trust)
        assert refused.value.response.status_code == 401
        assert TOKEN not in server.process.text()
    finally:
        for process in sealed.processes:
            process.end()
