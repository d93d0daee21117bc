"""How long WebSocket clients wait for their first batch when many ask at once.

Starts `millrace run` with a generator of 15 mixed columns, opens the connections, and lets all ask
for batches of 100 records in the same moment; some rounds. A round by `connect` opens them in that
moment, too. The client is raw sockets in this process: its own work is part of what is printed.
"""

import argparse
import json
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMBERS, CHOICES, SWITCHES = 8, 4, 3


def topology():
    fields = [f"        - {{name: n{i}, distribution: normal, mean: {10 * i}, sd: 3, decimals: 2}}"
              for i in range(NUMBERS)]
    fields += [f"        - {{name: c{i}, distribution: choice, values: [red, green, blue, grey]}}"
               for i in range(CHOICES)]
    switches = ", ".join(f"s{i}: 'c{i} == \"red\"'" for i in range(SWITCHES))
    names = [f"n{i}" for i in range(NUMBERS)] + [f"c{i}" for i in range(CHOICES)]
    names += [f"s{i}" for i in range(SWITCHES)]
    return "\n".join([
        "apiVersion: millrace.io/v1alpha1", "kind: Topology", "metadata: {name: bench}", "spec:",
        "  sources:", "    - name: real", "      type: generate.random", "      count: 20000",
        "      seed: 7", "      fields:", *fields, "  operators:",
        f"    - {{name: all, type: map, from: real, set: {{{switches}}}}}",
        "    - {name: synthetic, type: generate.copula, learn: all, key: [], "
        f"fields: [{', '.join(names)}], ratio: 0.001}}",
        "  sinks:", "    - {name: out, type: stdout, from: synthetic}", ""])


class Client:
    """One connection, driven by a selector."""

    HELLO = (b"GET /synthetic HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
             b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self.HELLO)
        self.bytes, self.open, self.message = bytearray(), False, bytearray()

    def ask(self, **request):
        text = json.dumps(request).encode()
        assert len(text) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text)

    def read(self):
        """A whole message, or None after one look at the socket."""
        message = self.parse()
        if message is None:
            self.bytes += self.socket.recv(1 << 18)
            message = self.parse()
        return message

    def parse(self):
        if not self.open:
            end = self.bytes.find(b"\r\n\r\n")
            if end < 0:
                return None
            assert self.bytes.startswith(b"HTTP/1.1 101"), self.bytes[:200]
            del self.bytes[:end + 4]
            self.open = True
        while len(self.bytes) >= 10 or (len(self.bytes) >= 2 and self.bytes[1] < 126):
            size, start = self.bytes[1], 2
            if size == 126:
                size, start = struct.unpack_from("!H", self.bytes, 2)[0], 4
            elif size == 127:
                size, start = struct.unpack_from("!Q", self.bytes, 2)[0], 10
            if len(self.bytes) < start + size:
                return None
            final = self.bytes[0] & 0x80
            self.message += self.bytes[start:start + size]
            del self.bytes[:start + size]
            if final:
                message, self.message = self.message, bytearray()
                return message
        return None


def first_batches(clients, began):
    """Milliseconds until the first message of each."""
    times = {}
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        while len(times) < len(clients):
            for key, _ in selector.select(30):
                client = key.data
                message = client.read()
                if message is not None and client not in times:
                    times[client] = 1000 * (time.perf_counter() - began)
                    assert message.startswith(b'{"action":"batch"'), message[:200]
                    selector.unregister(client.socket)
    return list(times.values())


def drain(client):
    """Read up to `complete`."""
    while not (client.read() or b"").startswith(b'{"action":"complete"'):
        pass


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def cpu_ms(process):
    """What all threads of a process have used."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


def show(name, times, cpu):
    print(f"{name:8} first batch of {len(times)}: median {percentile(times, 0.5):6.1f} ms, "
          f"99th percentile {percentile(times, 0.99):6.1f} ms, worst {max(times):6.1f} ms; "
          f"CPU of the server {cpu:5.1f} ms")


def await_model(port, process):
    for _ in range(300):
        assert process.poll() is None, "millrace has ended"
        try:
            client = Client(port)
            client.ask(action="generate", n_samples=1)
            message = None
            while message is None:
                message = client.read()
            if message.startswith(b'{"action":"data"'):
                return client
        except (OSError, AssertionError):
            pass
        time.sleep(0.1)
    sys.exit("the generator has learned nothing")


def rounds(port, process, count, repeats):
    clients = [Client(port) for _ in range(count)]
    for name in ["ask"] * repeats:
        began, used = time.perf_counter(), cpu_ms(process)
        for client in clients:
            client.ask(action="stream", n_batches=1)
        show(name, first_batches(clients, began), cpu_ms(process) - used)
        for client in clients:
            drain(client)
    for client in clients:
        client.socket.close()
    time.sleep(0.5)
    for name in ["connect"] * repeats:
        began, used = time.perf_counter(), cpu_ms(process)
        clients = []
        for _ in range(count):
            clients.append(Client(port))
            clients[-1].ask(action="stream", n_batches=1)
        show(name, first_batches(clients, began), cpu_ms(process) - used)
        for client in clients:
            client.socket.close()
        time.sleep(0.5)


def throughput(client):
    """Records a second of one connection, as JSON."""
    total, began = 200_000, time.perf_counter()
    client.ask(action="generate", count=total, batch_size=1000)
    while not (client.read() or b"").startswith(b'{"status":"complete"'):
        pass
    print(f"one reader: {total / (time.perf_counter() - began):,.0f} records/s as JSON")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "build" / "release" / "bin" / "millrace")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(topology())
        process = subprocess.Popen(
            [options.program, "run", "--quiet", "--threads", "1", "--websocket",
             f"127.0.0.1:{port}", "--websocket-connections", str(options.connections + 1), path],
            stdout=subprocess.DEVNULL)
        try:
            client = await_model(port, process)
            throughput(client)
            rounds(port, process, options.connections, options.rounds)
        finally:
            process.terminate()
            process.wait(60)


if __name__ == "__main__":
    main()
