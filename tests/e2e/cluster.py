"""A cluster on this machine: coordinators and workers as processes, and their HTTP API."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from millrace import BUILD, free_port


class Refused(Exception):
    """An answer of 400 or more: its code and its problem document."""

    def __init__(self, code, problem):
        super().__init__(f"{code}: {problem}")
        self.code, self.problem = code, problem


def ask(url, method="GET", body=None, content_type="application/json", timeout=10):
    """The JSON (or text) that a server answers. Refused for errors, OSError when it is away."""
    data = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": content_type} if data is not None else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read().decode()
            kind = answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            raise Refused(error.code, json.loads(text)) from error
        except ValueError:
            raise Refused(error.code, text) from error
    return json.loads(text) if kind.endswith("json") and text else text


def wait_until(condition, seconds=30, pause=0.05, what="the condition"):
    """What condition() returns, once it is true. Connections that fail are tried again."""
    deadline = time.time() + seconds
    last = None
    while time.time() < deadline:
        try:
            found = condition()
            if found:
                return found
        except (OSError, Refused) as error:
            last = error
        time.sleep(pause)
    raise AssertionError(f"{what} did not come within {seconds} s ({last})")


class Process:
    """One program of the cluster. Its log is a file that every restart appends to."""

    def __init__(self, words, log, environment=None):
        self.words = [str(word) for word in words]
        self.log, self.environment = Path(log), environment
        self.process, self.paused = None, False

    def start(self, more=None):
        """more: environment variables of this start only."""
        environment = {**os.environ, **(self.environment or {}), **(more or {})}
        self.paused = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def pause(self):
        self.paused = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def stop(self, timeout=60):
        """SIGTERM. The exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def end(self):
        """However it is, it is gone."""
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Cluster:
    """Coordinators and workers over one Kafka, under one cluster name, in one folder."""

    def __init__(self, brokers, name, folder, build=BUILD):
        self.brokers, self.name, self.folder = brokers, name, Path(folder)
        self.build = Path(build)
        self.coordinators, self.workers = [], {}
        self.repeated_submits = 0

    def coordinator(self, *more, start=True, brokers=None):
        """Add a coordinator. Workers that start later know it."""
        index = len(self.coordinators)
        listen, http = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        words = [self.build / "bin" / "millrace-coordinator", "--cluster", self.name,
                 "--brokers", brokers or self.brokers, "--listen", listen, "--http", http, *more]
        process = Process(words, self.folder / f"coordinator-{index}.log")
        process.listen, process.http = listen, http
        self.coordinators.append(process)
        return process.start() if start else process

    def worker(self, name=None, *more, start=True, brokers=None, threads=2, coordinators=None,
               environment=None):
        name = name or f"w{len(self.workers)}"
        http = f"127.0.0.1:{free_port()}"
        addresses = coordinators or ",".join(one.listen for one in self.coordinators)
        words = [self.build / "bin" / "millrace-worker", "--cluster", self.name,
                 "--brokers", brokers or self.brokers, "--coordinators", addresses,
                 "--name", name, "--state-dir", self.folder / f"state-{name}",
                 "--threads", threads, "--http", http, *more]
        process = Process(words, self.folder / f"worker-{name}.log", environment)
        process.name, process.http = name, http
        self.workers[name] = process
        return process.start() if start else process

    def server(self, seconds=60):
        """The HTTP address of the coordinator that leads. An election takes some seconds."""
        return wait_until(self._leader, seconds, what="a coordinator that leads")

    def _leader(self):
        for one in self.coordinators:
            if not one.alive() or one.paused:
                continue
            try:
                if ask(f"http://{one.http}/v1/leader", timeout=2)["leads"]:
                    return f"http://{one.http}"
            except (OSError, Refused):
                continue
        raise ConnectionError("no coordinator leads")

    def get(self, path, **options):
        return ask(self.server() + path, **options)

    def post(self, path, body=None, content_type="application/json", **options):
        return ask(self.server() + path, "POST", body if body is not None else b"",
                   content_type, **options)

    def delete(self, path):
        return ask(self.server() + path, "DELETE")

    def submit(self, path, query="", seconds=60):
        """The answer. Asked again while nobody leads, or the lead is lost over it: submitting the
        same again changes nothing."""
        text, deadline = Path(path).read_text(), time.time() + seconds
        while True:
            try:
                return self.post("/v1/topologies" + query, text, "application/yaml", timeout=60)
            except Refused as refused:
                if refused.code != 503 or time.time() > deadline:
                    raise
            self.repeated_submits += 1
            time.sleep(0.5)

    def tasks(self):
        found = self.get("/v1/tasks")
        return found["tasks"] if isinstance(found, dict) else found

    def wait_running(self, count, seconds=60):
        """Until as many active tasks run."""
        def running():
            tasks = [t for t in self.tasks() if t.get("role", "active") == "active"]
            return tasks if len(tasks) == count and all(
                t.get("state") == "running" for t in tasks) else None
        try:
            return wait_until(running, seconds, what=f"{count} running tasks")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

    def logs(self, size=3000):
        parts = [*self.coordinators, *self.workers.values()]
        return "\n".join(f"== {part.log.name}\n{part.text()[-size:]}" for part in parts)

    def end(self):
        for process in [*self.workers.values(), *self.coordinators]:
            if process.process is not None:
                process.end()
