#!/usr/bin/env python3
"""The commands of `millrace` against a cluster, through the program and a coordinator that answers
what each test says: text and JSON output, refusals, servers that are away, slow, wrong or huge.

    test_cluster_commands.py PROGRAM
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_server import FakeServer, Stream, problem  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"

GOOD = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata:
  name: scores
spec:
  sources:
    - name: readings
      type: kafka
      topic: readings
      format: json
      key: [sensor]
  operators:
    - name: score
      type: detect.zscore
      from: readings
      key: [sensor]
      field: value
      threshold: ${LIMIT:4.0}
  sinks:
    - name: results
      type: kafka
      from: score
      topic: scores
"""

TOPOLOGY = {
    "name": "scores", "generation": "00000000000000aa", "version": 3, "versions": [1, 2, 3],
    "state": "running", "health": "running", "reason": None, "warning": None,
    "paused_sources": [], "tasks": 2, "tasks_running": 2, "lag": 0, "input_records": 12345,
    "output_records": 12000, "changed_ms": 1795000000000, "plan_hash": "00000000000000bb"}

TASK = {
    "topology": "scores", "generation": "00000000000000aa", "subtopology": "score", "partition": 0,
    "role": "active", "epoch": 7, "worker": "w1", "moving_to": None, "blocked": None,
    "state": "running", "version": 3, "since_ms": 65000, "restored_records": 0,
    "restored_bytes": 0, "changelog_remaining": 0, "lag": 17, "load_us": 1, "input_records": 100,
    "output_records": 90, "idle_ms": 3, "watermark_ms": None, "error": None}

WORKER = {
    "name": "w1", "zone": "a", "http": "h:1", "build": "0.1.0", "instance": "00000000000000cc",
    "state": "present", "silent_ms": 20, "threads": 4, "memory_bytes": 1 << 30,
    "memory_planned_bytes": 256 << 20, "active_tasks": 2, "standby_tasks": 1, "load_us": 250000}

DIFFERENCE = {
    "new": False, "same": False,
    "subtopologies": [
        {"name": "score", "change": "kept", "stateful": True, "tasks_before": 4, "tasks_after": 4},
        {"name": "extra", "change": "added", "stateful": False, "tasks_before": None,
         "tasks_after": 1}],
    "state": [
        {"operator": "score", "type": "detect.zscore", "change": "kept", "subtopology": "score",
         "subtopology_before": None, "starts_over": False, "changed_option": None,
         "changed_field": None, "changed_harmlessly": "threshold"},
        {"operator": "sums", "type": "window.aggregate", "change": "kept", "subtopology": "score",
         "subtopology_before": None, "starts_over": True, "changed_option": "window",
         "changed_field": None, "changed_harmlessly": None},
        {"operator": "pairs", "type": "join.interval", "change": "kept", "subtopology": "score",
         "subtopology_before": None, "starts_over": True, "type_before": None,
         "changed_option": None, "changed_field": "price of left", "changed_harmlessly": None},
        {"operator": "best", "type": "rank", "change": "kept", "subtopology": "score",
         "subtopology_before": None, "starts_over": True, "type_before": "sort",
         "changed_option": None, "changed_field": None, "changed_harmlessly": None},
        {"operator": "old", "type": "detect.ewma", "change": "dropped", "subtopology": "score",
         "subtopology_before": None, "starts_over": False, "changed_option": None,
         "changed_field": None, "changed_harmlessly": None}],
    "sources": [{"name": "readings", "change": "kept", "starts": None, "type_before": None,
                 "changed_option": None, "changed_for_new_records": "timestamp, watermark"},
                {"name": "lines", "change": "kept", "starts": None, "type_before": None,
                 "changed_option": "path", "changed_for_new_records": None},
                {"name": "turned", "change": "kept", "starts": None, "type_before": "file",
                 "changed_option": None, "changed_for_new_records": None},
                {"name": "more", "change": "added", "starts": "earliest", "type_before": None,
                 "changed_option": None, "changed_for_new_records": None}],
    "topics": [{"suffix": "extra.changelog", "change": "added"}]}


class ClusterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, routes=None):
        fake = FakeServer(routes)
        self.addCleanup(fake.stop)
        return fake

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_program(self, *words, server=None, environment=None, text=""):
        """(exit code, standard output, standard error)"""
        variables = {key: value for key, value in os.environ.items()
                     if not key.startswith("MILLRACE_") and key != "LIMIT"}
        if server is not None:
            variables["MILLRACE_SERVER"] = server if isinstance(server, str) else server.url
        result = subprocess.run([PROGRAM, *words], input=text, text=True, capture_output=True,
                                timeout=60, check=False, cwd=self.folder,
                                env={**variables, **(environment or {})})
        self.assertNotIn("Sanitizer", result.stderr)
        return result.returncode, result.stdout, result.stderr

    def good(self, *words, **options):
        code, output, errors = self.run_program(*words, **options)
        self.assertEqual((code, errors), (0, ""), output)
        return output

    def check_json(self, value, *words, server):
        """-o json is the coordinator's answer as it came."""
        self.assertEqual(json.loads(self.good(*words, "-o", "json", server=server)), value)


class ReadingTest(ClusterTest):
    def test_list(self):
        stalled = {**TOPOLOGY, "name": "a-rather-long-name-of-a-topology", "health": "stalled",
                   "reason": "Kafka is\x1b[31m away", "lag": None, "tasks_running": 1}
        warned = {**TOPOLOGY, "name": "w", "warning": "A source has grown."}
        value = {"topologies": [stalled, TOPOLOGY, warned]}
        fake = self.serve({"GET /v1/topologies": (200, value)})
        lines = self.good("list", server=fake).splitlines()
        self.assertEqual(lines[0].split(), "NAME VERSION HEALTH TASKS LAG CHANGED REASON".split())
        self.assertIn("a-rather-long-name-of-a-topology        3  stalled    1/2    ?  ", lines[1])
        self.assertTrue(lines[1].endswith("Kafka is\\x1b[31m away"))
        self.assertIn("running    2/2    0  ", lines[2])
        self.assertTrue(lines[2].endswith(" -"))
        self.assertTrue(lines[3].endswith("A source has grown."))
        self.assertEqual(len({line.index("HEALTH") if "HEALTH" in line else
                              line.index("stalled" if "stalled" in line else "running")
                              for line in lines}), 1)
        self.check_json(value, "list", server=fake)

    def test_empty_lists(self):
        fake = self.serve({"GET /v1/topologies": (200, {"topologies": []}),
                           "GET /v1/workers": (200, {"workers": []}),
                           "GET /v1/tasks": (200, {"tasks": []}),
                           "GET /v1/lag": (200, {"topologies": []})})
        self.assertIn("no topologies", self.good("list", server=fake))
        self.assertIn("no workers", self.good("workers", server=fake))
        self.assertEqual(self.good("tasks", server=fake), "no tasks\n")
        self.assertEqual(self.good("lag", server=fake), "no topologies\n")

    def test_status(self):
        paused = {**TOPOLOGY, "paused_sources": ["readings", "more"], "reason": "why not"}
        fake = self.serve({"GET /v1/topologies/scores": (200, paused)})
        output = self.good("status", "scores", server=fake)
        for line in ("scores: running", "  reason     why not", "  tasks      2 of 2 run",
                     "  lag        0", "  records    12,345 in, 12,000 out since the tasks started",
                     "  paused     readings, more"):
            self.assertIn(line + "\n", output)
        self.assertRegex(output, r"  version    3, changed .*; kept: 1, 2, 3\n")
        self.check_json(paused, "status", "scores", server=fake)

    def test_describe(self):
        whole = {**TOPOLOGY, "task_list": [TASK], "plan": {}}
        version = {"name": "scores", "version": 3, "definition": GOOD}
        fake = self.serve({"GET /v1/topologies/scores": (200, whole),
                           "GET /v1/topologies/scores/versions/3": (200, version)})
        output = self.good("describe", "scores", server=fake)
        for part in ("scores: running", "score/0", "subtopology score (stateful)",
                     "score.changelog"):
            self.assertIn(part, output)
        self.check_json(whole, "describe", "scores", server=fake)

    def test_workers(self):
        gone = {**WORKER, "name": "w2", "zone": None, "memory_bytes": None, "silent_ms": 65000}
        value = {"workers": [WORKER, gone]}
        fake = self.serve({"GET /v1/workers": (200, value)})
        lines = self.good("workers", server=fake).splitlines()
        self.assertEqual(lines[1].split(), "w1 present a 2 1 4 0.25 cores 256 MiB of 1 GiB now "
                                           "h:1".split())
        self.assertIn("256 MiB of no limit", lines[2])
        self.assertIn("1 min 5 s ago", lines[2])
        self.check_json(value, "workers", server=fake)

    def test_tasks(self):
        restoring = {**TASK, "partition": 1, "state": "restoring", "changelog_remaining": 120000,
                     "lag": None}
        blocked = {**TASK, "partition": 2, "state": None, "worker": None, "blocked": "no memory"}
        moving = {**TASK, "partition": 3, "moving_to": "w9"}
        failed = {**TASK, "partition": 4, "state": "failed", "error": "the data is wrong"}
        value = {"tasks": [TASK, restoring, blocked, moving, failed]}
        fake = self.serve({"GET /v1/tasks": (200, value)})
        lines = self.good("tasks", server=fake).splitlines()
        self.assertEqual(lines[1].split(), "scores score/0 active running 1 min 5 s w1 7 17 100 90 "
                                           "-".split())
        for line, note in zip(lines[2:], ("120,000 changelog records to go", "no memory",
                                          "moving to w9", "the data is wrong")):
            self.assertTrue(line.endswith(note), line)
        self.check_json(value, "tasks", server=fake)
        self.good("tasks", "--topology", "a b", "--worker=w/1", server=fake)
        self.assertEqual(fake.asked()[-1], "GET /v1/tasks?topology=a%20b&worker=w%2F1")

    def test_lag(self):
        value = {"topologies": [{"topology": "scores", "lag": 12345, "tasks": [
            {"subtopology": "score", "partition": 0, "lag": 12345, "worker": "w1"},
            {"subtopology": "score", "partition": 1, "lag": None, "worker": None}]}]}
        fake = self.serve({"GET /v1/lag": (200, value),
                           "GET /v1/topologies/scores": (200, TOPOLOGY)})
        lines = self.good("lag", "scores", server=fake).splitlines()
        self.assertEqual([line.split() for line in lines[1:]],
                         [["scores", "12,345", "all", "-"],
                          ["scores", "12,345", "score/0", "w1"], ["scores", "?", "score/1", "-"]])
        self.check_json(value, "lag", server=fake)
        code, output, errors = self.run_program("lag", "nosuch", server=fake)
        self.assertEqual((code, output), (1, ""))
        self.assertIn("no route for GET /v1/topologies/nosuch", errors)

    def test_why(self):
        value = {"topology": "scores", "health": "stalled", "kind": "task",
                 "subject": "score/0 on w1", "reason": "It waits for Kafka.",
                 "release": "Kafka's answer.", "since_ms": 90000}
        nothing = {"topology": "scores", "health": "running", "kind": "nothing", "subject": None,
                   "reason": None, "release": None, "since_ms": 0}
        fake = self.serve({"GET /v1/why?topology=scores": (200, value),
                           "GET /v1/why?topology=fine": (200, nothing),
                           "GET /v1/topologies": (200, {"topologies": [TOPOLOGY]})})
        text = ("scores: stalled\n  holds      task score/0 on w1\n"
                "  reason     It waits for Kafka.\n  since      1 min 30 s ago\n"
                "  released   by: Kafka's answer.\n")
        self.assertEqual(self.good("why", "scores", server=fake), text)
        self.assertEqual(self.good("why", server=fake), text)
        self.assertIn("nothing holds it back", self.good("why", "fine", server=fake))
        self.check_json(value, "why", "scores", server=fake)

    def test_query(self):
        value = {"topology": "scores", "store": "score", "key": "s/1", "partition": 3,
                 "value": {"count": 2000, "mean": 22.999499999999998, "deep": {"a": [1, "x"]}},
                 "standby": True, "staleness_ms": 1500, "staleness_records": 12}
        fake = self.serve({"GET /v1/state/scores/score/s%2F1": (200, value)})
        output = self.good("query", "scores", "score", "s/1", server=fake)
        self.assertEqual(output, "scores/score of key s/1, partition 3\n"
                                 "  from a standby, 1.5 s behind (12 records)\n"
                                 "  count: 2000\n  mean: 22.999499999999998\n  deep: \n"
                                 '    a: [1,"x"]\n')
        self.good("query", "scores", "score", "s/1", "--standby", server=fake)
        self.assertEqual(fake.asked()[-1], "GET /v1/state/scores/score/s%2F1?standby=1")
        self.check_json(value, "query", "scores", "score", "s/1", server=fake)

    def test_query_while_restoring(self):
        fake = self.serve({"GET /v1/state/t/s/k": (*problem(503, "It is being restored."),
                                                   {"Retry-After": "2"})})
        code, output, errors = self.run_program("query", "t", "s", "k", server=fake)
        self.assertEqual((code, output), (3, ""))
        self.assertEqual(errors, "millrace: It is being restored.\nTry again in 2 s.\n")

    def test_diff(self):
        value = {"from": {"version": 2, "definition": "a\nb\nc\n", "submitted_ms": 1},
                 "to": {"version": 3, "definition": "a\nB\nc\nd\n", "submitted_ms": 2},
                 "difference": DIFFERENCE}
        fake = self.serve({"GET /v1/topologies/scores/diff": (200, value)})
        output = self.good("diff", "scores", "--from", "2", "--to", "3", server=fake)
        self.assertEqual(fake.asked()[-1], "GET /v1/topologies/scores/diff?from=2&to=3")
        self.assertRegex(output, r"^--- version 2, submitted .* ago\n\+\+\+ version 3")
        self.assertIn("@@ line 1 @@\n a\n-b\n+B\n c\n+d\n", output)
        self.assertIn("+ tasks    extra: 1 task\n", output)
        self.assertIn("- state    old (detect.ewma): DROPPED\n", output)
        self.assertIn("+ source   more: starts at earliest\n", output)
        self.assertIn("source   readings: goes on where it is; for records from then on: "
                      "timestamp, watermark changes\n", output)
        self.assertIn("source   lines: REFUSED: its position depends on path\n", output)
        self.assertIn("source   turned: REFUSED: it was a file\n", output)
        self.check_json(value, "diff", "scores", server=fake)

    def test_diff_of_one_version(self):
        one = {"name": "scores", "version": 1, "definition": "a", "submitted_ms": 1}
        fake = self.serve({"GET /v1/topologies/scores/diff": (
            200, {"from": one, "to": one, "difference": {"same": True}})})
        self.assertIn("scores has version 1 only", self.good("diff", "scores", server=fake))

    def test_events(self):
        events = [("task-assigned", {"time": "2026-01-28T10:30:00Z", "event": "task-assigned",
                                     "name": name, "text": "Task moves."})
                  for name in ("scores", "other", "scores")]
        fake = self.serve({"GET /v1/events": Stream(events, 5)})
        line = "2026-01-28T10:30:00Z  task-assigned  scores  Task moves.\n"
        self.assertEqual(self.good("events", "scores", "-n", "2", server=fake), line * 2)
        output = self.good("events", "--count", "3", "-o", "json", server=fake)
        self.assertEqual([json.loads(text)["name"] for text in output.splitlines()],
                         ["scores", "other", "scores"])

    def test_events_go_on_after_the_connection(self):
        event = ("e", {"time": "t", "event": "e", "name": "n", "text": "x"})
        fake = self.serve({"GET /v1/events": Stream([("lost", "7 events"), event])})
        code, output, errors = self.run_program("events", "-n", "2", server=fake)
        self.assertEqual((code, output), (0, "t  e  n  x\n" * 2))
        self.assertIn("slower than the stream: 7 events were left out", errors)
        self.assertIn("has ended; events may be missing", errors)

    def test_top_without_a_terminal(self):
        counts = iter([1000, 3000, 1000, 3000])
        fake = self.serve({"GET /v1/topologies": lambda _: (
            200, {"topologies": [{**TOPOLOGY, "input_records": next(counts)}]}),
                           "GET /v1/workers": (200, {"workers": [WORKER]})})
        output = self.good("top", server=fake)
        row = output.splitlines()[1].split()
        self.assertEqual(row[:3], ["scores", "running", "2/2"])
        self.assertTrue(1000 < int(row[3].replace(",", "")) <= 2000, row)
        self.assertEqual(row[4], "0")
        self.assertIn("w1      present      2         1  0.25 cores  now", output)
        value = json.loads(self.good("top", "-o", "json", server=fake))
        self.assertTrue(1000 < value["topologies"][0]["input_rate"] <= 2000)
        self.assertEqual(value["workers"], [WORKER])

    def test_tap(self):
        rows = [("row", '{"record":1}'), ("row", '{"record":2}')]
        fake = self.serve({"GET /v1/taps/scores/score": Stream(rows, 5)})
        output = self.good("tail", "scores", "score", "--count", "2", server=fake)
        self.assertEqual(output, '{"record":1}\n{"record":2}\n')

    def test_tap_refused(self):
        fake = self.serve({"GET /v1/taps/scores/score": problem(404, 'There is no "x".')})
        code, output, errors = self.run_program("tail", "scores", "score", server=fake)
        self.assertEqual((code, output, errors), (1, "", 'millrace: There is no "x".\n'))


class ChangingTest(ClusterTest):
    def test_plain_changes(self):
        done = (200, {"name": "scores", "message": "Topology scores is so."})
        routes = {"pause": "POST /v1/topologies/scores/pause",
                  "resume": "POST /v1/topologies/scores/resume",
                  "reset": "POST /v1/topologies/scores/reset",
                  "delete": "DELETE /v1/topologies/scores"}
        fake = self.serve({route: done for route in routes.values()})
        for command, route in routes.items():
            self.assertEqual(self.good(command, "scores", server=fake),
                             "scores: Topology scores is so.\n")
            self.assertEqual(fake.asked()[-1], route)
            self.check_json(done[1], command, "scores", server=fake)
            dry = {"name": "scores", "dry_run": True, "action": command, "tasks": 2}
            fake.routes[route + "?dry_run=1"] = (200, dry)
            self.assertEqual(self.good(command, "scores", "--dry-run", server=fake),
                             f"would {command} scores (2 tasks); nothing was done\n")
            self.assertEqual(fake.asked()[-1], route + "?dry_run=1")
            self.check_json(dry, command, "scores", "--dry-run", server=fake)

    def test_one_source(self):
        fake = self.serve({"POST /v1/topologies/scores/pause": (200, {"name": "scores"})})
        self.assertEqual(self.good("pause", "scores", "--source", "a&b", server=fake),
                         "scores: done\n")
        self.assertEqual(fake.asked(), ["POST /v1/topologies/scores/pause?source=a%26b"])

    def test_refusal(self):
        fake = self.serve({"POST /v1/topologies/scores/pause":
                           problem(409, "It is being\x1b deleted.")})
        code, output, errors = self.run_program("pause", "scores", server=fake)
        self.assertEqual((code, output), (1, ""))
        self.assertEqual(errors, "millrace: It is being\\x1b deleted.\n")
        code, output, errors = self.run_program("pause", "scores", "-o", "json", server=fake)
        self.assertEqual((code, json.loads(output)["status"]), (1, 409))

    def test_seek(self):
        fake = self.serve({"POST /v1/topologies/scores/seek": (
            200, {"name": "scores", "seek": "readings earliest", "state": "State is kept.",
                  "dry_run": False, "message": "It goes on."})})
        output = self.good("seek", "scores", "readings", "--to", '0=12,1="x', server=fake)
        self.assertEqual(output, "State is kept.\nscores: It goes on.\n")
        self.assertEqual(json.loads(fake.requests[-1].body),
                         {"source": "readings", "to": '0=12,1="x'})
        code, _, errors = self.run_program("seek", "scores", "readings", server=fake)
        self.assertEqual(code, 2)
        self.assertIn("--to says where", errors)

    def test_rollback(self):
        fake = self.serve({"POST /v1/topologies/scores/rollback": (
            200, {"name": "scores", "version": 2, "dry_run": False, "difference": DIFFERENCE,
                  "message": "Version 2 is active."})})
        output = self.good("rollback", "scores", "--to", "2", "--drop-state", "old",
                           "--drop-state=x", server=fake)
        self.assertEqual(fake.asked(),
                         ["POST /v1/topologies/scores/rollback?to=2&drop_state=old%2Cx"])
        self.assertTrue(output.endswith("scores: Version 2 is active.\n"), output)
        self.assertIn("  source   readings: goes on where it is; for records from then on: "
                      "timestamp, watermark changes\n", output)
        code, _, _ = self.run_program("rollback", "scores", "--to", "0", server=fake)
        self.assertEqual(code, 2)

    def test_drain(self):
        left = iter([2, 1, 0])
        fake = self.serve({
            "POST /v1/workers/w1/drain": (202, {"worker": "w1", "message": "Tasks move."}),
            "POST /v1/workers/w1/undrain": (200, {"worker": "w1", "message": "It takes tasks."}),
            "GET /v1/workers": lambda _: (200, {"workers": [
                {**WORKER, "active_tasks": next(left), "standby_tasks": 0}]})})
        self.assertEqual(self.good("drain", "w1", "--wait", server=fake),
                         "w1: Tasks move.\nw1 has no tasks any more\n")
        self.assertEqual(fake.asked().count("GET /v1/workers"), 3)
        self.assertEqual(self.good("drain", "w1", "--undo", server=fake), "w1: It takes tasks.\n")

    def test_drain_in_vain(self):
        fake = self.serve({"POST /v1/workers/w1/drain": (202, {"worker": "w1", "message": "m"}),
                           "GET /v1/workers": (200, {"workers": [WORKER]})})
        code, _, errors = self.run_program("drain", "w1", "--wait", "--timeout", "400ms",
                                           server=fake)
        self.assertEqual(code, 1)
        self.assertIn("--timeout is over and the worker has tasks still", errors)

    def test_delete_and_wait(self):
        fake = self.serve({"DELETE /v1/topologies/scores": (202, {"name": "scores"}),
                           "GET /v1/topologies/scores": problem(404, "There is none.")})
        self.assertEqual(self.good("delete", "scores", "--wait", server=fake),
                         "scores: done\nscores is gone\n")


class SubmitTest(ClusterTest):
    def answer(self, **members):
        return 200, {"name": "scores", "version": 4, "dry_run": False, "difference": DIFFERENCE,
                     "warnings": [], "message": "Version 4 of topology scores is active.",
                     **members}

    def test_submit(self):
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer()})
        output = self.good("submit", path, server=fake)
        self.assertEqual(output.splitlines(), [
            "scores: version 4", "  tasks    score: 4 tasks, with state",
            "+ tasks    extra: 1 task", "  source   readings: goes on where it is; for records "
            "from then on: timestamp, watermark changes",
            "  source   lines: REFUSED: its position depends on path",
            "  source   turned: REFUSED: it was a file",
            "+ source   more: starts at earliest",
            "  state    score (detect.zscore): kept; harmless to it: threshold changes",
            "  state    sums (window.aggregate): STARTS OVER: window changes",
            "  state    pairs (join.interval): STARTS OVER: other fields of rows are stored (price "
            "of left)",
            "  state    best (rank): STARTS OVER: it was a sort",
            "- state    old (detect.ewma): DROPPED",
            "+ topic    <cluster>.<topology>.<generation>.extra.changelog",
            "  Version 4 of topology scores is active."])
        request = fake.requests[-1]
        self.assertEqual(request.body.decode(), GOOD)
        self.assertEqual(request.headers["Content-Type"], "application/yaml")
        self.check_json(self.answer()[1], "submit", path, server=fake)

    def test_flags_of_submit(self):
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer(dry_run=True)})
        output = self.good("submit", path, "--dry-run", "--drop-state", "old", server=fake)
        self.assertEqual(fake.asked(), ["POST /v1/topologies?drop_state=old&dry_run=1"])
        self.assertIn("(dry run: nothing was done)", output)
        self.good("submit", "-", server=fake, text=GOOD)

    def test_same_plan(self):
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer(difference={"same": True})})
        self.assertIn("the plan is the same", self.good("submit", path, server=fake))

    def test_findings_are_those_of_validate(self):
        path = self.write("t.yaml", GOOD.replace("detect.zscore", "detect.zsore"))
        fake = self.serve()
        code, output, errors = self.run_program("submit", path, server=fake)
        self.assertEqual((code, output, fake.requests), (1, "", []))
        self.assertEqual(errors, self.run_program("validate", path)[2])
        self.assertIn(f"{path}:14:", errors)

    def test_findings_of_the_server(self):
        path = self.write("t.yaml", GOOD)
        finding = {"line": 8, "column": 7, "severity": "error", "message": "no such\x07 topic"}
        fake = self.serve({"POST /v1/topologies":
                           problem(422, "The definition has 1 errors.", errors=[finding])})
        code, output, errors = self.run_program("submit", path, server=fake)
        self.assertEqual((code, output), (1, ""))
        self.assertEqual(errors, f"{path}:8:7: error: no such\\x07 topic\n")

    def test_a_refused_file_does_not_keep_others_away(self):
        bad = self.write("bad.yaml", "nonsense")
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer()})
        code, output, _ = self.run_program("submit", bad, "nowhere.yaml", path, server=fake)
        self.assertEqual(code, 2)
        self.assertIn("scores: version 4", output)

    def test_environment_goes_into_values(self):
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer()})
        code, _, errors = self.run_program("submit", path, server=fake, environment={"LIMIT": "7"})
        self.assertEqual(code, 0, errors)
        self.assertIn("1 value from the environment, stored in spec.values", errors)
        self.assertEqual(fake.requests[-1].body.decode(),
                         GOOD.replace("  sources:", '  values:\n    LIMIT: "7"\n  sources:'))

    def test_environment_comes_before_values(self):
        text = GOOD.replace("spec:\n", "spec:\n  values:\n    LIMIT: '5'  # five\n    OTHER: x\n")
        path = self.write("t.yaml", text)
        fake = self.serve({"POST /v1/topologies": self.answer()})
        code, _, errors = self.run_program("submit", path, server=fake, environment={"LIMIT": "7"})
        self.assertEqual(code, 0, errors)
        self.assertEqual(fake.requests[-1].body.decode(),
                         text.replace("    LIMIT: '5'  # five\n", '    LIMIT: "7"\n'))

    def test_values_that_cannot_be_added_to(self):
        path = self.write("t.yaml", GOOD.replace("spec:\n", "spec:\n  values: {OTHER: x}\n"))
        fake = self.serve()
        code, _, errors = self.run_program("submit", path, server=fake, environment={"LIMIT": "7"})
        self.assertEqual((code, fake.requests), (1, []))
        self.assertIn("not written as one entry a line", errors)

    def test_wait(self):
        path = self.write("t.yaml", GOOD)
        restoring = {**TASK, "state": "restoring", "changelog_remaining": 1000}
        states = iter([{**TOPOLOGY, "health": "starting", "tasks_running": 0,
                        "task_list": [restoring]}, {**TOPOLOGY, "task_list": []}])
        fake = self.serve({"POST /v1/topologies": self.answer(),
                           "GET /v1/topologies/scores": lambda _: (200, next(states))})
        output = self.good("submit", path, "--wait", server=fake)
        self.assertTrue(output.endswith("scores runs\n"))

    def test_wait_for_one_that_fails(self):
        path = self.write("t.yaml", GOOD)
        failed = {**TOPOLOGY, "health": "failed", "reason": "A task is broken.", "task_list": []}
        fake = self.serve({"POST /v1/topologies": self.answer(),
                           "GET /v1/topologies/scores": (200, failed)})
        code, _, errors = self.run_program("submit", path, "-w", server=fake)
        self.assertEqual(code, 1)
        self.assertIn("millrace: scores has failed: A task is broken.", errors)

    def test_wait_in_vain(self):
        path = self.write("t.yaml", GOOD)
        fake = self.serve({"POST /v1/topologies": self.answer(),
                           "GET /v1/topologies/scores": (200, {**TOPOLOGY, "health": "blocked"})})
        code, _, errors = self.run_program("submit", path, "-w", "--timeout", "300ms", server=fake)
        self.assertEqual(code, 1)
        self.assertIn("--timeout is over and it does not run yet", errors)


class ServerTest(ClusterTest):
    def nobody(self):
        """An address that nobody listens on."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{probe.getsockname()[1]}"

    def test_away(self):
        url = self.nobody()
        for words in (["list"], ["pause", "x"], ["events"], ["tail", "a", "b"], ["top"],
                      ["query", "a", "b", "c"], ["drain", "w"]):
            code, output, errors = self.run_program(*words, server=url)
            self.assertEqual((code, output), (3, ""), words)
            self.assertIn(url, errors)

    def test_what_to_try_when_away(self):
        url = self.nobody()
        _, _, errors = self.run_program("list", "--server", url)
        self.assertIn(f"millrace: no coordinator answers at {url}: ", errors)
        self.assertIn("--server or MILLRACE_SERVER", errors)
        self.assertNotIn("not known", errors)

    def test_several_addresses(self):
        away = self.nobody()
        fake = self.serve({"GET /v1/topologies": (200, {"topologies": []}),
                           "POST /v1/topologies/x/pause": (200, {"name": "x"})})
        self.good("list", server=f"{away},{fake.url}/")
        self.assertEqual(self.good("pause", "x", server=f"{away}, {fake.url}"), "x: done\n")
        self.assertEqual(fake.asked()[-2:], ["GET /v1/leader", "POST /v1/topologies/x/pause"])
        code, _, errors = self.run_program("list", server=f"{away},{self.nobody()}")
        self.assertEqual((code, errors.count("no coordinator answers at")), (3, 2))

    def test_an_unavailable_one_is_passed_over(self):
        busy = self.serve({"GET /v1/topologies": problem(503, "No coordinator leads.")})
        fake = self.serve({"GET /v1/topologies": (200, {"topologies": []})})
        self.good("list", server=f"{busy.url},{fake.url}")
        code, _, errors = self.run_program("list", server=busy)
        self.assertEqual((code, errors), (3, "millrace: No coordinator leads.\n"))

    def test_redirected_to_the_leader(self):
        leader = self.serve({"POST /v1/topologies/x/pause": (200, {"name": "x"})})
        fake = self.serve({"POST /v1/topologies/x/pause": (
            307, {}, {"Location": leader.url + "/v1/topologies/x/pause"})})
        self.assertEqual(self.good("pause", "x", server=fake), "x: done\n")
        self.assertEqual(leader.asked(), ["POST /v1/topologies/x/pause"])

    def test_slow(self):
        def slow(_request):
            time.sleep(3)
            return 200, {"topologies": []}
        fake = self.serve({"GET /v1/topologies": slow, "POST /v1/topologies/x/pause": slow})
        begun = time.time()
        code, _, errors = self.run_program("list", "--request-timeout", "200ms", server=fake)
        self.assertEqual(code, 3)
        self.assertLess(time.time() - begun, 2.5)
        self.assertIn(f"no coordinator answers at {fake.url}", errors)
        other = self.serve({"POST /v1/topologies/x/pause": (200, {"name": "x"})})
        code, _, errors = self.run_program("pause", "x", "--request-timeout", "200ms",
                                           server=f"{fake.url},{other.url}")
        self.assertEqual(code, 3)
        self.assertIn("Whether the request was carried out is not known", errors)
        self.assertEqual(other.asked(), [], "a change must not be sent twice")

    def test_no_coordinator(self):
        fake = self.serve({"GET /v1/topologies": (200, b"<html>hello</html>",
                                                  {"Content-Type": "text/html"})})
        code, output, errors = self.run_program("list", server=fake)
        self.assertEqual((code, output), (3, ""))
        self.assertIn("something else than JSON (text/html)", errors)

    def test_answers_of_odd_shapes(self):
        for value in ([], {}, "text", 7, None, {"topologies": 7}, {"topologies": [7, None, []]},
                      {"topologies": [{"name": 7, "tasks": "x", "versions": {}}]}):
            fake = self.serve({"GET /v1/topologies": (200, value),
                               "GET /v1/topologies/x": (200, value),
                               "GET /v1/why": (200, value),
                               "GET /v1/state/a/b/c": (200, value),
                               "GET /v1/topologies/x/diff": (200, value),
                               "POST /v1/topologies/x/rollback": (200, value)})
            for words in (["list"], ["status", "x"], ["describe", "x"], ["why", "x"], ["diff", "x"],
                          ["rollback", "x"], ["query", "a", "b", "c"]):
                self.assertEqual(self.run_program(*words, server=fake)[0], 0, (words, value))

    def test_huge_reply(self):
        many = {"topologies": [{**TOPOLOGY, "name": f"t{number:06}"} for number in range(20000)]}
        fake = self.serve({"GET /v1/topologies": (200, many)})
        self.assertEqual(len(self.good("list", server=fake).splitlines()), 20001)
        self.check_json(many, "list", server=fake)

    def test_reply_beyond_the_limit(self):
        fake = self.serve({"GET /v1/topologies": (200, b" " * ((64 << 20) + 1))})
        code, output, errors = self.run_program("list", server=fake)
        self.assertEqual((code, output), (1, ""))
        self.assertIn("is larger than 64 MiB", errors)

    def test_token(self):
        path = self.write("token", "s3cret-token\n")
        fake = self.serve({"GET /v1/topologies": (200, {"topologies": []})})
        self.good("list", "--token-file", path, server=fake)
        self.assertEqual(fake.requests[-1].headers["Authorization"], "Bearer s3cret-token")
        self.good("list", server=fake, environment={"MILLRACE_TOKEN_FILE": path})
        fake.routes["GET /v1/topologies"] = problem(401, "The token is not right.")
        code, output, errors = self.run_program("list", "--token-file", path, server=fake)
        self.assertEqual((code, output), (1, ""))
        self.assertIn("The token of --token-file or MILLRACE_TOKEN_FILE", errors)
        self.assertNotIn("s3cret", errors)

    def test_bad_token_files(self):
        for text in ("", "two tokens", "one\ntwo\n", "\x07"):
            path = self.write("token", text)
            code, _, errors = self.run_program("list", "--token-file", path)
            self.assertEqual(code, 2, text)
            self.assertIn("must hold one token", errors)
        code, _, errors = self.run_program("list", "--token-file", "nowhere")
        self.assertEqual(code, 2)

    def test_bad_addresses(self):
        for address in ("", "ftp://x", "http://user:secret@host", "a,,b", "x" * 2000):
            code, output, errors = self.run_program("list", "--server", address)
            self.assertEqual((code, output), (2, ""), address)
            self.assertNotIn("secret", errors)

    def test_usage(self):
        for words in (["status"], ["seek", "a"], ["drain"], ["submit"], ["list", "x"],
                      ["query", "a", "b"], ["lag", "a", "b"], ["diff", "x", "--from", "y"]):
            code, _, errors = self.run_program(*words)
            self.assertEqual(code, 2, words)
            self.assertIn("millrace help", errors)

    def test_doctor(self):
        fake = self.serve()
        output = self.good("doctor", "--state-dir", self.folder, server=fake)
        self.assertRegex(output, r"ok +coordinator .*a:1 leads in term 1")
        fake.routes["GET /v1/leader"] = (200, {"cluster": "c", "leads": False, "term": "3",
                                               "address": None, "http": None})
        code, output, _ = self.run_program("doctor", "--state-dir", self.folder, server=fake)
        self.assertEqual(code, 1)
        self.assertRegex(output, r"wrong +coordinator .*no coordinator leads")
        code, output, _ = self.run_program("doctor", "-o", "json", server=self.nobody())
        self.assertEqual(code, 3)
        self.assertEqual(json.loads(output)["wrong"], 1)

    def test_brokers_are_needed(self):
        for words in (["produce", "t"], ["tail", "t"], ["dlq", "list", "t"]):
            code, _, errors = self.run_program(*words)
            self.assertEqual(code, 2)
            self.assertIn("--brokers HOST:PORT", errors)


if __name__ == "__main__":
    unittest.main()
