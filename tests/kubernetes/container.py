"""One container of a pod as a process: start, probes, restarts, preStop and the end within the
grace period."""

import http.client
import signal
import socket
import ssl
import subprocess
import time

import pod_spec

BACK_OFF_SECONDS = (0.2, 0.5, 1, 2, 5)  # the kubelet's begin at 10 s; tests are shorter


class Probe:
    """A probe's settings, and the run of results up to now."""

    def __init__(self, settings, passed):
        self.settings, self.passed = settings, passed
        self.streak = 0  # > 0: successes in a row, < 0: failures
        self.due = time.monotonic() + settings.get("initialDelaySeconds", 0)

    def take(self, success):
        """Counts a result. None, or True or False when the threshold is reached."""
        same = success == (self.streak > 0)
        self.streak = (self.streak if same else 0) + (1 if success else -1)
        self.due = time.monotonic() + self.settings.get("periodSeconds", 10)
        if success and self.streak >= self.settings.get("successThreshold", 1):
            self.passed = True
            return True
        if not success and -self.streak >= self.settings.get("failureThreshold", 3):
            self.passed = False
            return False
        return None


class Container:
    """spec: the container's. launch(words, log) starts a process in the pod with the container's
    user; environment and arguments are worked out at each start."""

    def __init__(self, spec, address, launch, log):
        self.spec, self.address, self.launch, self.log = spec, address, launch, log
        self.process, self.started_at = None, 0.0
        self.restarts, self.last_code, self.not_before = 0, None, 0.0
        self.error, self.probes = None, {}

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        self.error = None
        try:
            self.process = self.launch(self.spec, None, self.log)
        except (pod_spec.Invalid, OSError) as error:
            self.error = str(error)
            self._back_off()
            return
        self.started_at = time.monotonic()
        self.probes = {kind: Probe(self.spec[kind], kind == "livenessProbe")
                       for kind in ("startupProbe", "livenessProbe", "readinessProbe")
                       if kind in self.spec}

    def _back_off(self):
        wait = BACK_OFF_SECONDS[min(self.restarts, len(BACK_OFF_SECONDS) - 1)]
        self.not_before = time.monotonic() + wait

    def step(self, restarts):
        """Starts it, notices that it ended, runs the probes that are due. restarts: whether a
        container that ended is started again."""
        if self.alive():
            self._probe()
            return
        if self.process is not None:
            self.last_code = self.process.returncode
            self.process = None
            if restarts:
                self._back_off()
                self.restarts += 1
        ended_for_good = self.last_code is not None and not restarts
        if not ended_for_good and time.monotonic() >= self.not_before:
            self.start()

    def started(self):
        """Whether it runs and its startup probe, if any, has passed."""
        probe = self.probes.get("startupProbe")
        return self.alive() and (probe is None or probe.passed)

    def ready(self):
        probe = self.probes.get("readinessProbe")
        return self.started() and (probe is None or probe.passed)

    def _probe(self):
        for kind, probe in self.probes.items():
            if kind == "startupProbe" and probe.passed:
                continue
            if kind != "startupProbe" and not self.started():
                probe.due = max(probe.due,
                                time.monotonic() + probe.settings.get("initialDelaySeconds", 0))
                continue
            if time.monotonic() < probe.due:
                continue
            verdict = probe.take(self.check(probe.settings))
            if verdict is False and kind != "readinessProbe":
                self._note(f"{kind} failed {-probe.streak} times: the container is ended")
                self.end(5)
                return

    def _note(self, text):
        self.log.write(f"runner: {text}\n".encode())
        self.log.flush()

    def check(self, settings):
        """Whether one probe (or hook) succeeds."""
        seconds = settings.get("timeoutSeconds", 1)
        try:
            if "httpGet" in settings:
                return self._http(settings["httpGet"], seconds)
            if "tcpSocket" in settings:
                port = pod_spec.port(self.spec, settings["tcpSocket"]["port"])
                socket.create_connection((self.address, port), seconds).close()
                return True
            return self._execute(settings["exec"]["command"], seconds) == 0
        except (OSError, http.client.HTTPException, subprocess.TimeoutExpired, pod_spec.Invalid):
            return False

    def _http(self, settings, seconds):
        port = pod_spec.port(self.spec, settings["port"])
        host = settings.get("host", self.address)
        if settings.get("scheme", "HTTP") == "HTTPS":
            trust = ssl.create_default_context()  # probes look at no certificate, as the kubelet's
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=trust)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        headers = {one["name"]: one["value"] for one in settings.get("httpHeaders", [])}
        try:
            connection.request("GET", settings.get("path", "/"), headers=headers)
            return 200 <= connection.getresponse().status < 400
        finally:
            connection.close()

    def _execute(self, words, seconds):
        process = self.launch(self.spec, words, self.log)
        try:
            return process.wait(seconds)
        finally:
            process.kill()

    def stop(self, deadline):
        """preStop, SIGTERM, and SIGKILL at the deadline: the exit code."""
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook is not None and self.alive():
            remaining = max(deadline - time.monotonic(), 0.0)
            if "sleep" in hook:
                time.sleep(min(hook["sleep"]["seconds"], remaining))
            elif not self.check({**hook, "timeoutSeconds": remaining}):
                self._note("the preStop hook failed, or took all of the grace period")
        return self.end(max(deadline - time.monotonic(), 0.0))

    def end(self, seconds):
        if self.process is None:
            return self.last_code
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._note(f"did not end within {seconds:.1f} s: SIGKILL")
            self.process.kill()
            code = self.process.wait()
        return code

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def status(self):
        """Its containerStatus."""
        if self.error is not None:
            state = {"waiting": {"reason": "CreateContainerConfigError", "message": self.error}}
        elif self.alive():
            state = {"running": {}}
        elif self.last_code is not None:
            state = {"terminated": {"exitCode": self.last_code % 256, "reason": "Ended"}}
        else:
            state = {"waiting": {"reason": "ContainerCreating"}}
        found = {"name": self.spec["name"], "image": self.spec["image"], "imageID": "",
                 "ready": self.ready(), "started": self.started(), "restartCount": self.restarts,
                 "state": state}
        if self.restarts:
            found["lastState"] = {"terminated": {"exitCode": (self.last_code or 0) % 256,
                                                 "reason": "Ended"}}
        return found
