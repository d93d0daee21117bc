"""The generated documents are what the program says today."""

import json
import re
import subprocess

import pytest
import yaml

from millrace import PROGRAM, ROOT


def run(*words):
    result = subprocess.run(
        [str(PROGRAM), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_reference_is_current(tmp_path):
    run("docs", "--all", tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").iterdir()}
    assert sorted(made) == sorted(kept), "millrace docs --all docs/reference"
    for name, text in made.items():
        assert (
            kept[name] == text
        ), f"docs/reference/{name}: run `millrace docs --all docs/reference`"


def test_the_list_of_metrics_is_current():
    kept = (ROOT / "docs" / "METRICS.md").read_text()
    assert kept == run("docs", "--metrics"), "run `millrace docs --metrics > docs/METRICS.md`"


def test_the_definition_of_topologies_in_kubernetes_is_current():
    path = ROOT / "deploy" / "k8s" / "base" / "crd.yaml"
    made = run("docs", "--crd")
    assert path.read_text() == made, f"run `millrace docs --crd > {path.relative_to(ROOT)}`"
    # `kubectl apply` keeps the whole object in an annotation of at most 256 KiB.
    assert len(json.dumps(yaml.safe_load(made))) < 256 * 1024


def test_an_option_has_one_yaml_type_in_every_entry():
    """DESIGN 2.1, rule 2, and the four options that came before this test."""
    definition = yaml.safe_load(run("docs", "--crd"))
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    number = "number|share|integer"
    found = {
        (role, name)
        for role in ("sources", "operators", "sinks")
        for name, schema in spec["properties"][role]["items"]["properties"].items()
        if "type" not in schema
        and "x-kubernetes-int-or-string" not in schema
        and not re.match(rf"\(({number})( \| ({number}))*[,)]", schema["description"])
    }
    assert found == {
        ("operators", "window"),
        ("operators", "rate"),
        ("operators", "resolution"),
        ("sources", "anomalies"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--crd", "map"],
        ["--all", "folder", "map"],
        ["--metrics", "map"],
        ["--all", "folder", "--metrics"],
    ],
)
def test_one_kind_of_page_at_a_time(words, tmp_path):
    result = subprocess.run(
        [str(PROGRAM), "docs", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert "one of --all, --metrics, --crd and TYPE" in result.stderr
    assert not list(tmp_path.iterdir())
