#!/usr/bin/env python3
"""Runs the conformance tests of the CEL specification against the expression language.

The published tests are protobuf messages in text form. This script reads them with a small parser
of its own, writes one line-based record per test to the C program next to it, and reports per file
how many pass, how many are out of scope and why. A failure in scope fails, and so does a file that
holds no test.

Usage: cel_conformance.py PROGRAM [TESTDATA_FOLDER]
"""
import collections
import os
import re
import subprocess
import sys

SKIPPED = 77

TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
                   r"""|(?P<word>[-+]?[A-Za-z0-9_.][-+A-Za-z0-9_.]*)"""
                   r"""|(?P<mark>[{}\[\]:,;<>/])""", re.S)

ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def unescape(text):
    """The bytes that a quoted text of the text format means."""
    result = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            result += text[at].encode()
            at += 1
            continue
        letter = text[at + 1]
        if letter in "01234567":
            digits = re.match(r"[0-7]{1,3}", text[at + 1:]).group()
            result.append(int(digits, 8))
            at += 1 + len(digits)
        elif letter in "xX":
            digits = re.match(r"[0-9a-fA-F]{1,2}", text[at + 2:]).group()
            result.append(int(digits, 16))
            at += 2 + len(digits)
        elif letter in "uU":
            size = 4 if letter == "u" else 8
            result += chr(int(text[at + 2:at + 2 + size], 16)).encode()
            at += 2 + size
        else:
            result.append(ESCAPES.get(letter, ord(letter)))
            at += 2
    return bytes(result)


def tokenize(text):
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read the text format at byte {at}: {text[at:at + 20]!r}")
        at = match.end()
        if match.lastgroup == "text":
            yield "text", unescape(match.group()[1:-1])
        elif match.lastgroup:
            yield match.lastgroup, match.group()


class Reader:
    """A message is a dictionary of field name to the list of its values, in order."""

    def __init__(self, text):
        self.tokens = list(tokenize(text))
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def message(self, close):
        fields = collections.OrderedDict()
        while self.peek()[1] != close or self.peek()[0] == "text":
            kind, name = self.take()
            if name == "[":
                name = "[" + self.extension_name()
            elif kind != "word":
                raise ValueError(f"found {name!r} where a field was expected")
            if self.peek() == ("mark", ":"):
                self.take()
            fields.setdefault(name, []).append(self.value())
            if self.peek() in (("mark", ","), ("mark", ";")):
                self.take()
        self.take()
        return fields

    def extension_name(self):
        name = ""
        while self.peek() != ("mark", "]"):
            name += self.take()[1]
        self.take()
        return name

    def value(self):
        kind, value = self.take()
        if kind == "mark" and value in "{<":
            return self.message("}" if value == "{" else ">")
        if kind == "text":
            while self.peek()[0] == "text":
                value += self.take()[1]
        return value


class OutOfScope(Exception):
    pass


def one(message, name, default=None):
    return message[name][-1] if name in message else default


def hexed(data):
    return data.hex() or "-"


def encode_value(value):
    """A cel.expr.Value in the runner's prefix notation."""
    (kind, content), = ((name, items[-1]) for name, items in value.items())
    if kind == "null_value":
        return "n"
    if kind == "bool_value":
        return "b " + ("1" if content == "true" else "0")
    if kind == "int64_value":
        return "i " + str(int(content, 0))
    if kind == "uint64_value":
        return "u " + str(int(content, 0))
    if kind == "double_value":
        return "d " + float(content).hex()
    if kind == "string_value":
        return "s " + hexed(content)
    if kind == "bytes_value":
        return "y " + hexed(content)
    if kind == "type_value":
        return "t " + hexed(content)
    if kind == "list_value":
        items = content.get("values", [])
        return " ".join([f"l {len(items)}"] + [encode_value(item) for item in items])
    if kind == "map_value":
        entries = content.get("entries", [])
        words = [f"m {len(entries)}"]
        for entry in entries:
            words += [encode_value(one(entry, "key")), encode_value(one(entry, "value"))]
        return " ".join(words)
    raise OutOfScope({"object_value": "protobuf messages", "enum_value": "protobuf enums"}.get(
        kind, kind))


PRIMITIVES = {"BOOL": "bool", "INT64": "int", "UINT64": "uint", "DOUBLE": "double",
              "STRING": "string", "BYTES": "bytes"}
WELL_KNOWN = {"TIMESTAMP": "google.protobuf.Timestamp", "DURATION": "google.protobuf.Duration"}


def type_text(message):
    """A cel.expr.Type as the checker prints it."""
    (kind, content), = ((name, items[-1]) for name, items in message.items())
    if kind == "primitive":
        return PRIMITIVES[content]
    if kind == "dyn":
        return "dyn"
    if kind == "null":
        return "null_type"
    if kind == "well_known" and content in WELL_KNOWN:
        return WELL_KNOWN[content]
    if kind == "list_type":
        return f"list({type_text(one(content, 'elem_type', {'dyn': [{}]}))})"
    if kind == "map_type":
        key = type_text(one(content, "key_type"))
        return f"map({key}, {type_text(one(content, 'value_type'))})"
    raise OutOfScope({"message_type": "protobuf messages", "wrapper": "protobuf wrappers",
                      "abstract_type": "optional and abstract types"}.get(kind, kind))


def encode_declaration(declaration):
    name = one(declaration, "name").decode()
    if "function" in declaration:
        raise OutOfScope("functions declared by the test")
    return f"declare {name} {type_text(one(one(declaration, 'ident'), 'type'))}"


def expectation(test):
    """Lines that say what must come out."""
    if "eval_error" in test or "any_eval_errors" in test:
        return ["expect error"]
    if "unknown" in test or "any_unknowns" in test:
        raise OutOfScope("unknown values")
    if "typed_result" in test:
        typed = one(test, "typed_result")
        lines = []
        if "deduced_type" in typed:
            lines.append("type " + type_text(one(typed, "deduced_type")))
        if "result" in typed and "check_only" not in test:
            lines.append("expect value " + encode_value(one(typed, "result")))
        return lines
    return ["expect value " + encode_value(one(test, "value", {"bool_value": ["true"]}))]


def out_of_scope_text(expression, test):
    if re.search(r"\boptional\.", expression):
        return "optional and abstract types"
    if re.search(r"TestAllTypes|google\.protobuf\.\w+\s*\{|proto[23]", expression):
        return "protobuf messages"
    if "disable_macros" in test:
        return "parsing without macros"
    return None


def encode_test(name, test):
    expression = one(test, "expr")
    reason = out_of_scope_text(expression.decode(), test)
    declarations = [encode_declaration(item) for item in test.get("type_env", [])]
    expected = expectation(test)
    if reason:
        raise OutOfScope(reason)
    lines = [f"test {name}", f"expression {hexed(expression)}"]
    if one(test, "disable_check") == "true":
        lines.append("unchecked")
    if "container" in test:
        lines.append("container " + one(test, "container").decode())
    lines += declarations
    for binding in test.get("bindings", []):
        value = one(one(binding, "value"), "value")
        if value is None:
            raise OutOfScope("unknown values")
        lines.append(f"bind {one(binding, 'key').decode()} {encode_value(value)}")
    return lines + expected + ["run"]


def encode_file(path):
    """The runner's input of a file, and the count of tests left out by reason."""
    with open(path, encoding="utf-8") as file:
        suite = Reader(file.read()).message("")
    lines = []
    left_out = collections.Counter()
    for section in suite.get("section", []):
        for test in section.get("test", []):
            name = f"{one(section, 'name').decode()}/{one(test, 'name').decode()}"
            try:
                lines += encode_test(name.replace(" ", "_"), test)
            except OutOfScope as reason:
                left_out[str(reason)] += 1
    return lines, left_out


def listed(reasons):
    return "".join(f"; {count} {reason}" for reason, count in sorted(reasons.items()))


def main():
    program = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    data = os.environ.get("MILLRACE_TEST_DATA") or os.path.join(here, "../../../shared/data")
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(data, "cel/tests/simple/testdata")
    if not os.path.isdir(folder):
        print(f"skipped: the CEL conformance tests are not at {os.path.normpath(folder)}")
        return SKIPPED
    failed_files = []
    totals = collections.Counter()
    reasons = collections.Counter()
    for file in sorted(name for name in os.listdir(folder) if name.endswith(".textproto")):
        lines, left_out = encode_file(os.path.join(folder, file))
        run = subprocess.run([program], input="\n".join(lines) + "\n", text=True,
                             stdout=subprocess.PIPE, check=False)
        verdicts = run.stdout.splitlines()
        passed = sum(line.startswith("pass ") for line in verdicts)
        failures = [line for line in verdicts if line.startswith("FAIL ")]
        expected = sum(line == "run" for line in lines)
        skipped = sum(left_out.values())
        print(f"{file}: {passed} of {expected} pass, {skipped} out of scope" + listed(left_out))
        for line in failures:
            print("  " + line)
        if passed != expected or run.returncode != 0 or expected + skipped == 0:
            failed_files.append(file)
        totals.update(passed=passed, expected=expected, skipped=skipped)
        reasons.update(left_out)
    print(f"total: {totals['passed']} of {totals['expected']} pass,"
          f" {totals['skipped']} out of scope" + listed(reasons))
    if failed_files or totals["expected"] == 0:
        print("failed: " + (", ".join(failed_files) or "no test was found"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
