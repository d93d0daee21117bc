"""Builds of the program with one guard of the protocol switched off.

A guard is a place MR_GUARD(NAME) (base/guard.h), so a mutated program is the normal build's link
with the files that have it compiled again and put before the libraries: half a second instead of a
whole build. What decides is the same definition that `cmake -DMR_MUTATION=NAME` sets.
"""

import json
import shlex
import subprocess

from millrace import BUILD, ROOT

FOLDER = ROOT / "build"


def sources_of(guard):
    """The files that hold the guard."""
    words = ["grep", "-rlF", "--include=*.[ch]", f"MR_GUARD({guard})", *source_folders()]
    found = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split()
    headers = [name for name in found if name.endswith(".h")]
    assert found, f"no file has the guard {guard}"
    assert not headers, f"{headers}: a header has the guard {guard}: that needs a whole build"
    return found


def source_folders():
    return sorted(path.parent.name for path in ROOT.glob("*/CMakeLists.txt")
                  if path.parent.name not in ("tests", "bench", "build"))


def link_command():
    words = ["ninja", "-C", str(BUILD), "-t", "commands", "bin/millrace"]
    commands = subprocess.run(words, check=True, stdout=subprocess.PIPE,
                              text=True).stdout.splitlines()
    commands = [line for line in commands if " -o bin/millrace " in line]
    assert len(commands) == 1, commands
    return [word for word in shlex.split(commands[0]) if word not in (":", "&&")]


def build(name):
    """The program without the guard NAME, as a path."""
    # The new object and the libraries must come from the same sources: structs may have changed.
    subprocess.run(["ninja", "-C", str(BUILD), "bin/millrace"], check=True,
                   stdout=subprocess.DEVNULL)
    guard = name.upper()
    folder = FOLDER / f"mutation-{name.replace('_', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    # The simulation compiles files with guards a second time, for itself.
    compiles = {entry["file"]: entry
                for entry in json.loads((BUILD / "compile_commands.json").read_text())
                if "tests/sim/" not in entry["command"]}
    objects = []
    for source in sources_of(guard):
        words = shlex.split(compiles[str(ROOT / source)]["command"])
        target = folder / (source.replace("/", "-") + ".o")
        words[words.index("-o") + 1] = str(target)
        subprocess.run([*words, f"-DMR_MUTATED=MR_GUARD_{guard}"], cwd=BUILD, check=True)
        objects.append(str(target))
    words = link_command()
    program = folder / "millrace"
    words[words.index("-o") + 1] = str(program)
    main_object = next(index for index, word in enumerate(words) if word.endswith("main.c.o"))
    words[main_object + 1:main_object + 1] = objects
    subprocess.run(words, cwd=BUILD, check=True)
    return program
