"""docs/openapi.yaml against the coordinator: every route is described, everything described is
answered, and every answer has the shape that the document gives it."""

import itertools
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import jsonschema
import pytest
import yaml

import millrace
from cluster import Cluster, ask, wait_until

DOCUMENT = yaml.safe_load((millrace.ROOT / "docs" / "openapi.yaml").read_text())
numbers = itertools.count()
METHODS = ("get", "post", "put", "delete", "patch")
OPERATIONS = [
    (path, method) for path, item in DOCUMENT["paths"].items() for method in METHODS
    if method in item
]

# In this order, so that what is deleted is deleted last.
LAST = ["reset", "deleteTopology"]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def call(server, method, path, body=None, content_type="application/json"):
    """(code, content type, body) of whatever is answered."""
    request = urllib.request.Request(
        server + path, data=body, method=method.upper(),
        headers={"Content-Type": content_type} if body is not None else {})
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def resolved(part):
    """The part itself, behind its reference."""
    while "$ref" in part:
        found = DOCUMENT
        for name in part["$ref"].split("/")[1:]:
            found = found[name]
        part = found
    return part


def check_answer(operation, answer):
    code, content_type, body = answer
    assert str(code) in operation["responses"], (operation["operationId"], answer)
    described = resolved(operation["responses"][str(code)])
    if "content" not in described:
        return
    assert content_type in described["content"], (operation["operationId"], answer)
    schema = described["content"][content_type]["schema"]
    value = json.loads(body) if content_type.endswith("json") else body.decode()
    whole = {**schema, "components": DOCUMENT["components"]}
    try:
        jsonschema.Draft202012Validator(whole).validate(value)
    except jsonschema.ValidationError as error:
        raise AssertionError(f"{operation['operationId']}: {error}") from error


def routes():
    """What the server's table has, as the document writes it."""
    source = (millrace.ROOT / "coordinator" / "api.c").read_text()
    found = re.findall(r'\{MR_HTTP_(\w+), "([^"]+)"', source)
    return {(path.replace("*}", "}"), method.lower()) for method, path in found}


def test_the_document_and_the_table_of_routes_agree():
    assert len(OPERATIONS) > 20
    assert set(OPERATIONS) == routes()


def test_references_lead_somewhere():
    def visit(part):
        if isinstance(part, dict):
            if "$ref" in part:
                resolved(part)
            for child in part.values():
                visit(child)
        elif isinstance(part, list):
            for child in part:
                visit(child)
    visit(DOCUMENT)
    ids = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="module")
def served(kafka, tmp_path_factory):
    """A coordinator with one worker and one topology of two versions."""
    folder = tmp_path_factory.mktemp("openapi")
    name = f"openapi{next(numbers)}"  # set up again when tests of other modules came in between
    source, sink = name + "-in", name + "-out"
    cluster = Cluster(kafka.brokers, name, folder)
    try:
        for topic in (source, sink):
            kafka.create(topic, 2)
        kafka.produce(source, list(millrace.readings(500, 20)))
        coordinator = cluster.coordinator()
        server = f"http://{coordinator.http}"
        wait_until(lambda: ask(server + "/v1/leader")["leads"])
        cluster.worker("w0")
        path = millrace.zscore_topology(
            folder / "t.yaml", source, sink, name="scores")
        path.write_text(path.read_text().replace("  sinks:", """\
    - {name: like, type: generate.copula, learn: readings, key: [sensor], fields: [value],
       learn_batch: 8}
    - {name: all, type: generate.copula, learn: readings, key: [], fields: [value],
       learn_batch: 8}
  sinks:
"""))
        cluster.submit(path)
        path.write_text(path.read_text().replace("threshold: 4.0", "threshold: 5.0"))
        cluster.submit(path)
        cluster.wait_running(3)
        cluster.definition = path.read_bytes()
        yield cluster
    finally:
        cluster.end()


def request_of(cluster, path, method, operation):
    values = {"name": "w0" if "/workers/" in path else "scores", "version": "1",
              "topology": "scores", "store": "score", "key": "s-00001",
              "operator": {"model": "all", "keyModel": "like"}.get(
                  operation["operationId"], "score")}
    filled = re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], path)
    if path == "/v1/why":
        filled += "?topology=scores"
    body, content_type = (b"", "application/json") if method == "post" else (None, None)
    if operation["operationId"] == "submit":
        body, content_type = cluster.definition, "application/yaml"
    if operation["operationId"] == "seek":
        body = b'{"source": "readings", "to": "earliest"}'
    return filled, body, content_type


def in_order():
    def rank(one):
        identity = DOCUMENT["paths"][one[0]][one[1]]["operationId"]
        return LAST.index(identity) + 1 if identity in LAST else 0
    return sorted(OPERATIONS, key=rank)


@pytest.mark.parametrize("path,method", in_order())
def test_what_is_described_is_answered(served, path, method):
    operation = DOCUMENT["paths"][path][method]
    server = f"http://{served.coordinators[0].http}"
    filled, body, content_type = request_of(served, path, method, operation)
    if operation["operationId"] in ("events", "tap"):
        request = urllib.request.urlopen(server + filled, timeout=10)
        assert request.status == 200
        assert request.headers.get_content_type() == "text/event-stream"
        request.close()
        return

    def answered():
        answer = call(server, method, filled, body, content_type or "application/json")
        return answer if answer[0] not in (409, 503) else None
    answer = wait_until(answered, 30, what=f"{method} {filled}")
    assert answer[0] not in (404, 405), answer
    assert answer[0] < 300, answer
    check_answer(operation, answer)


@pytest.mark.parametrize("path,method", [one for one in OPERATIONS if "{name}" in one[0]])
def test_what_is_not_there_is_a_problem(served, path, method):
    operation = DOCUMENT["paths"][path][method]
    server = f"http://{served.coordinators[0].http}"
    filled = path.replace("{name}", "nobody").replace("{version}", "1")
    answer = call(server, method, filled, b"" if method == "post" else None)
    assert answer[0] == 404, answer
    check_answer(operation, answer)


def test_metrics_are_what_prometheus_expects(served):
    server = f"http://{served.coordinators[0].http}"

    def led():  # a broker that answers late costs a leader its lead for a moment
        text = ask(server + "/metrics")
        return text if f'millrace_coordinator_leader{{cluster="{served.name}"}} 1' in text else None
    text = wait_until(led, 30, what="the coordinator leads")
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: script/bootstrap installs it")
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout + checked.stderr == ""
