"""The generated documents are what the program says today."""

import subprocess

import pytest

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


@pytest.mark.parametrize(
    "words", [["--all", "folder", "map"], ["--metrics", "map"], ["--all", "folder", "--metrics"]]
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
    assert "one of --all, --metrics and TYPE" in result.stderr
    assert not list(tmp_path.iterdir())
