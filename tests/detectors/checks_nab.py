"""The Numenta Anomaly Benchmark: the scorer beside published results, and ours beside what is
asked."""

import csv
import functools
import tempfile

import nab
import nab_engine
from check import Missing, at_least, at_most, check, near


def folder():
    if not (nab.default_folder() / "labels").is_dir():
        raise Missing(f"{nab.default_folder()} is not here")
    return nab.default_folder()


@functools.cache
def benchmark():
    return nab.Benchmark(folder())


@functools.cache
def gaussian():
    return {one.name: nab.windowed_gaussian(one.values) for one in benchmark().series}


@check("nab: windowedGaussian of ours, record for record", "NAB's results", at_most(1e-9),
       quick=True)
def published_records():
    found = gaussian()
    worst, compared = 0.0, 0
    for path in sorted((folder() / "results" / "windowedGaussian").glob("*/*.csv")):
        name = f"{path.parent.name}/{path.name.removeprefix('windowedGaussian_')}"
        with open(path, encoding="utf-8", newline="") as file:
            expected = [float(line["anomaly_score"]) for line in csv.DictReader(file)]
        scores = found[name]
        assert len(scores) == len(expected)
        worst = max(worst, *(abs(one - other) for one, other in zip(scores, expected)))
        compared += len(expected)
    assert compared > 90000
    return worst


@check("nab: windowedGaussian of ours, standard score", "NAB, the open series", near(41.4, 0.1),
       quick=True)
def published_score():
    return benchmark().score(gaussian())["standard"]


def through_the_engine(name):
    with tempfile.TemporaryDirectory(prefix="millrace-nab-") as rows:
        topology = nab_engine.EXAMPLES / f"{name}.yaml"
        return benchmark().score(nab_engine.run(topology, benchmark().series, rows))["standard"]


ASKED = {
    "windowed_gaussian": near(41.4, 0.1),
    "relative_entropy": near(53.4, 0.1),
    "knn_cad": near(58.5, 0.5),
    "random_cut_forest": at_least(57),
    "nearest": at_least(63),
    "ensemble": at_least(70),
}
for one_name, one_asked in ASKED.items():
    check(f"nab: {one_name}, standard score", "NAB, the open series", one_asked)(
        functools.partial(through_the_engine, one_name))
