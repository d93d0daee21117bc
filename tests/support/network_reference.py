"""A small generator network and its records, by the definitions of docs/NETWORK_MODEL.md and
nothing of ours: random numbers by Philox4x32-10, scores by scipy, layers in double precision.

    network_reference.py FOLDER

writes network_model.json, network_layers.txt (inputs and outputs of the layers), network_rows.jsonl
and network_conditions.jsonl (a line with the conditions and their probability, then records)."""

import base64
import json
import math
import sys
from pathlib import Path

import numpy
from scipy.special import ndtri

SEED = 7
ROWS_STREAM = 0x6E6574776F726B21
PILOT_STREAM = 0x70696C6F74212121
CONDITIONS = {"kind": "rare", "size": {"gte": 5, "lt": 60}, "count": {"in": [3, 4, 5, 6]}}


class Random:
    """base/random.h's sequence of (seed, stream) from a block on."""

    def __init__(self, seed, stream, counter):
        self.key = [seed & 0xFFFFFFFF, seed >> 32]
        self.stream = stream
        self.counter = counter
        self.words = []

    def block(self):
        words = [self.counter & 0xFFFFFFFF, self.counter >> 32, self.stream & 0xFFFFFFFF,
                 self.stream >> 32]
        key = list(self.key)
        for _ in range(10):
            first = 0xD2511F53 * words[0]
            second = 0xCD9E8D57 * words[2]
            words = [(second >> 32) ^ words[1] ^ key[0], second & 0xFFFFFFFF,
                     (first >> 32) ^ words[3] ^ key[1], first & 0xFFFFFFFF]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        self.counter += 1
        return words

    def word(self):
        if not self.words:
            self.words = self.block()
        return self.words.pop(0)

    def uniform(self):
        low = self.word()
        return ((self.word() << 32 | low) >> 11) * 2.0 ** -53


def floats(array):
    return base64.b64encode(numpy.asarray(array, dtype="<f4").tobytes()).decode()


def array(text, *shape):
    return numpy.frombuffer(base64.b64decode(text), "<f4").astype(float).reshape(shape)


def make_document():
    source = numpy.random.default_rng(20)
    fields = [
        {"name": "size", "kind": "number", "decimals": 3, "modes": [[10, 2], [50, 5.5], [-3, 0]]},
        {"name": "kind", "kind": "category",
         "categories": [{"value": "often", "weight": 90}, {"value": "rare", "weight": 3},
                        {"value": None, "weight": 7}]},
        {"name": "count", "kind": "number", "decimals": 0, "modes": [[4, 1.5]]},
        {"name": "ratio", "kind": "number", "decimals": 4, "modes": [[0.5, 0.1], [0.25, 0.01]]},
        {"name": "ok", "kind": "category",
         "categories": [{"value": True, "weight": 0.25}, {"value": False, "weight": 0.75}]},
        {"name": "class", "kind": "category",
         "categories": [{"value": 3, "weight": 1}, {"value": 2.5, "weight": 1}]}]
    latents, places, outputs = 5, 7, 4 + 3 + 2 + 3 + 2 + 2
    hidden = []
    inputs = latents + places
    for count in (19, 6):
        hidden.append({"outputs": count, "weights": floats(source.normal(size=(inputs, count))),
                       "bias": floats(source.normal(size=count))})
        inputs += count
    hidden[0]["normalisation"] = {
        "mean": floats(source.normal(size=19)), "variance": floats(source.uniform(0.5, 9, 19)),
        "scale": floats(source.normal(1, 0.2, 19)), "shift": floats(source.normal(0, 0.2, 19)),
        "epsilon": 1e-5}
    weights = source.normal(0, 0.5, size=(inputs, outputs))
    # The condition is heeded: a place makes its own category likely, as training would have it.
    first = inputs - places
    for place, output in zip(range(places), [4, 5, 6, 12, 13, 14, 15]):
        weights[first + place, output] += 4
    return {"millrace_model": 1, "type": "network", "name": "tiny", "version": 3, "rows": 1000,
            "effective_rows": 1000, "fields": fields, "latents": latents, "hidden": hidden,
            "output": {"weights": floats(weights),
                       "bias": floats(source.normal(0, 0.5, size=outputs))}}


class Network:
    def __init__(self, document):
        self.fields = document["fields"]
        self.latents = document["latents"]
        self.categorical = [field for field in self.fields if field["kind"] == "category"]
        self.places = sum(len(field["categories"]) for field in self.categorical)
        self.hidden = document["hidden"]
        self.output = document["output"]

    def run(self, latents, place):
        condition = numpy.zeros(self.places)
        condition[place] = 1
        row = numpy.concatenate([latents, condition])
        for layer in self.hidden:
            made = array(layer["weights"], len(row), layer["outputs"])
            made = row @ made + array(layer["bias"], -1)
            if "normalisation" in layer:
                norm = layer["normalisation"]
                spread = numpy.sqrt(array(norm["variance"], -1) + norm["epsilon"])
                made = (made - array(norm["mean"], -1)) / spread * array(norm["scale"], -1)
                made = made + array(norm["shift"], -1)
            row = numpy.concatenate([numpy.maximum(made, 0), row])
        return row @ array(self.output["weights"], len(row), -1) + array(self.output["bias"], -1)

    def pick(self, weights, wanted):
        return int(numpy.searchsorted(numpy.cumsum(weights), wanted * sum(weights), side="right"))

    def condition(self, random, fixed):
        """The place in the condition; fixed: a field's name and the categories it may have."""
        which_field = int(random.uniform() * len(self.categorical))
        wanted = random.uniform()
        if fixed is not None:
            which_field = [field["name"] for field in self.categorical].index(fixed[0])
        weights = [category["weight"] if fixed is None or category["value"] in fixed[1] else 0
                   for category in self.categorical[which_field]["categories"]]
        first = sum(len(field["categories"]) for field in self.categorical[:which_field])
        return first + self.pick(weights, wanted)

    def record(self, seed, row, attempt=0, fixed=None):
        random = Random(seed ^ ROWS_STREAM, row, attempt << 32)
        latents = [float(numpy.float32(ndtri((random.word() + 0.5) * 2.0 ** -32)))
                   for _ in range(self.latents)]
        outputs = self.run(latents, self.condition(random, fixed))
        record = {}
        at = 0
        for field in self.fields:
            is_number = field["kind"] == "number"
            count = len(field["modes"] if is_number else field["categories"])
            own = outputs[at + is_number:at + is_number + count]
            choice = self.pick(numpy.exp(own - own.max()), random.uniform())
            if is_number:
                mean, deviation = field["modes"][choice]
                value = round(mean + 4 * deviation * math.tanh(outputs[at]), field["decimals"])
                record[field["name"]] = int(value) if field["decimals"] == 0 else value
            else:
                record[field["name"]] = field["categories"][choice]["value"]
            at += is_number + count
        return record


def meets(record, conditions):
    for name, wanted in conditions.items():
        value = record[name]
        if not isinstance(wanted, dict):
            met = value == wanted
        elif "in" in wanted:
            met = value in wanted["in"]
        else:
            met = wanted["gte"] <= value < wanted["lt"]
        if not met:
            return False
    return True


def main():
    folder = Path(sys.argv[1])
    document = make_document()
    network = Network(document)
    (folder / "network_model.json").write_text(json.dumps(document, indent=1) + "\n")
    source = numpy.random.default_rng(21)
    with open(folder / "network_layers.txt", "w", encoding="utf-8") as file:
        for place in range(network.places):
            latents = source.normal(size=network.latents).astype("<f4").astype(float)
            numbers = [place, *latents, *network.run(latents, place)]
            file.write(" ".join(f"{number:.9g}" for number in numbers) + "\n")
    with open(folder / "network_rows.jsonl", "w", encoding="utf-8") as file:
        for row in range(300):
            file.write(json.dumps(network.record(SEED, row), separators=(",", ":")) + "\n")
    fixed = ("kind", ["rare"])
    hits = made = 0
    while hits < 64 and made < 16384:
        hits += sum(meets(network.record(PILOT_STREAM, row, fixed=fixed), CONDITIONS)
                    for row in range(made, made + 64))
        made += 64
    with open(folder / "network_conditions.jsonl", "w", encoding="utf-8") as file:
        line = {"conditions": CONDITIONS, "probability": 0.03 * hits / made}
        file.write(json.dumps(line) + "\n")
        for row in range(100):
            attempt = 0
            while not meets(record := network.record(SEED, row, attempt, fixed), CONDITIONS):
                attempt += 1
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
