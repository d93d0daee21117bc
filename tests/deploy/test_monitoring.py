"""Alerts fire when they should, and alerts and dashboard speak of metrics that exist."""

import json
import re

import yaml

from manifests import CHART, ROOT, find, run, tool

ALERTS = CHART / "files" / "alerts.yaml"
TESTS = ROOT / "tests" / "deploy" / "alerts_test.yaml"
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


def metrics():
    """Every series of docs/METRICS.md -> its labels, which tests hold against the registry."""
    found = {}
    for line in (ROOT / "docs" / "METRICS.md").read_text().split("\n"):
        row = re.match(r"\| `(millrace_\w+)` \| (\w+) \| ([^|]*) \|", line)
        if row:
            labels = {label.strip() for label in row[3].split(",")}
            for suffix in SUFFIXES.get(row[2], ("",)):
                found[row[1] + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    assert len(found) > 40
    return found


def alerts():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"]
            for rule in group["rules"]]


def dashboard():
    return json.loads((CHART / "files" / "dashboard.json").read_text())


def dashboard_queries():
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]


def unknown(query):
    """What a query names that no process of Millrace has: series, or labels of a series."""
    known = metrics()
    wrong = []
    for name, selected in re.findall(r"\b(millrace_\w+)(\{[^}]*\})?", query):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected))
        if name not in known:
            wrong.append(name)
        # namespace and pod come from the PodMonitor
        elif labels - known[name] - {"namespace", "pod"}:
            wrong.append((name, labels - known[name]))
    groups = re.findall(r"\bby \(([^)]*)\)", query)
    series = set().union(*(known.get(name, set())
                           for name in re.findall(r"\bmillrace_\w+", query)), {"namespace", "pod"})
    wrong += [label for group in groups for label in re.split(r",\s*", group)
              if label not in series]
    return wrong


def test_promtool_accepts_the_rules():
    done = run(tool("promtool"), "check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_s_tests_of_the_rules():
    done = run(tool("promtool"), "test", "rules", str(TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_both_ways():
    names = {test["name"] for test in yaml.safe_load(TESTS.read_text())["tests"]}
    for rule in alerts():
        assert {rule["alert"] + " fires", rule["alert"] + " keeps quiet"} <= names


def test_alerts_name_what_exists():
    for rule in alerts():
        assert not unknown(rule["expr"]), rule["alert"]


def test_the_dashboard_names_what_exists():
    queries = list(dashboard_queries())
    assert len(queries) > 40
    for query in queries:
        assert not unknown(query), query
    identities = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(identities)) == len(identities)


def test_a_wrong_name_would_be_found():
    assert unknown("rate(millrace_transaction_total[5m])")
    assert unknown('millrace_coordinator_workers{status="gone"}')
    assert unknown("sum by (topic) (millrace_source_lag_records)")
    assert not unknown("sum by (namespace, le) (millrace_transaction_bytes_bucket)")


def test_promtool_reads_the_dashboard_s_queries(tmp_path):
    """As rules, with Grafana's variables filled in: the syntax of every query is checked."""
    rules = []
    filled = {"$__rate_interval": "5m", "$namespace": "n", "$topology": ".*"}
    for number, query in enumerate(dashboard_queries()):
        if not query.startswith("label_values"):
            for name, value in filled.items():
                query = query.replace(name, value)
            rules.append({"record": f"query{number}", "expr": query})
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = run(tool("promtool"), "check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do():
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    headings = {match.lower() for match in re.findall(r"^#+ (Millrace\w+)$", text, re.M)}
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == "docs/OPERATIONS.md#" + rule["alert"].lower()
        assert rule["alert"].lower() in headings, rule["alert"]
    assert headings == {rule["alert"].lower() for rule in alerts()}


def test_every_metric_says_what_to_watch_for():
    """And the alerts that it names are there, each at least once."""
    text = (ROOT / "docs" / "METRICS.md").read_text()
    rows = re.findall(r"^\| `millrace_.*$", text, re.M)
    assert len(rows) > 40
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 5 and all(cells), row
    assert {rule["alert"] for rule in alerts()} == set(re.findall(r"Millrace[A-Z]\w+", text))


def test_the_manifests_carry_these_files():
    rule = find("production", "PrometheusRule", "millrace")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())
    carried = find("production", "ConfigMap", "millrace-dashboard")["data"]["millrace.json"]
    assert json.loads(carried) == dashboard()


def test_autoscalers_go_by_metrics_that_exist():
    scaler = find("production-hpa", "HorizontalPodAutoscaler", "millrace-worker")["spec"]
    assert all(metric["pods"]["metric"]["name"] in metrics() for metric in scaler["metrics"])
    triggers = find("production-keda", "ScaledObject", "millrace-worker")["spec"]["triggers"]
    brokers = find("production-keda", "ConfigMap", "millrace")["data"]["MILLRACE_BROKERS"]
    assert all(trigger["metadata"]["bootstrapServers"] == brokers for trigger in triggers)
