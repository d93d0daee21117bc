"""tools/detector_probe.c: our structures, given a reference's own tree or numbers."""

import subprocess

from engine import BUILD

PROGRAM = BUILD / "bin" / "detector_probe"


def ask(what, lines):
    """The answers to lines of words, as lists of words."""
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    result = subprocess.run([str(PROGRAM), what], input=text, stdout=subprocess.PIPE, text=True,
                            check=True, timeout=120)
    return [line.split() for line in result.stdout.splitlines()]
