"""Networks of model documents beside the CTGAN that they were written from: the layers for the same
latents, the distributions of records, and the speed."""

import functools
import importlib.util
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy
from check import Missing, at_least, at_most, check
from scipy import stats

from generator_engine import BUILD, ROOT

ROWS = 40000
COLUMNS = ["gender", "second_perc", "high_perc", "high_spec", "degree_type", "work_experience",
           "experience_years", "employability_perc", "mba_spec", "placed"]
CATEGORIES = ["gender", "high_spec", "degree_type", "work_experience", "mba_spec", "placed"]


def writer():
    """tools/network_model.py."""
    path = ROOT / "tools" / "network_model.py"
    specification = importlib.util.spec_from_file_location("network_model", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@functools.lru_cache
def trained():
    """A small CTGAN of student placements, its document, and the file of it."""
    try:
        import torch
        from ctgan import CTGAN

        import tables
    except ImportError as error:
        raise Missing(f"{error.name} is not installed: script/generators --with-ctgan does that, "
                      "3 GB of it") from error
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(5)
    numpy.random.seed(5)
    model = CTGAN(epochs=150, batch_size=200, enable_gpu=False)
    model.fit(tables.student_placements()[COLUMNS], CATEGORIES)
    document = writer().document_of(model, "placements")
    file = tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8")
    json.dump(document, file)
    file.flush()
    return model, document, file


def probe(*arguments, stdin=b""):
    return subprocess.run([str(BUILD / "bin" / "network_probe"), *map(str, arguments)],
                          input=stdin, stdout=subprocess.PIPE, check=True).stdout


@check("network: outputs of the layers for 2,000 latents", "ctgan's generator (torch)",
       at_most(1e-5))
def layers():
    """The greatest difference, of numbers above 1 relative to them."""
    model, document, file = trained()
    import torch

    source = numpy.random.default_rng(1)
    places = sum(len(field.get("categories", [])) for field in document["fields"])
    latents = source.normal(size=(2000, document["latents"])).astype("<f4")
    place = source.integers(0, places, 2000).astype("<u4")
    lines = numpy.concatenate([latents.view("<u4"), place[:, None]], axis=1)
    answer = probe("layers", file.name, stdin=lines.tobytes())
    ours = numpy.frombuffer(answer, "<f4").reshape(2000, -1)
    generator = model._generator
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        theirs = generator(torch.tensor(numpy.concatenate(
            [latents, numpy.eye(places, dtype="f4")[place]], axis=1))).numpy()
    generator.train(was_training)
    return float((numpy.abs(ours - theirs) / numpy.maximum(1, numpy.abs(theirs))).max())


def drawn(conditions=None):
    import pandas

    lines = probe("records", trained()[2].name, ROWS, json.dumps(conditions or {}))
    return pandas.DataFrame([json.loads(line) for line in lines.splitlines()])


def distances(ours, theirs):
    """By column: Kolmogorov and Smirnov's distance, or half the difference of shares."""
    found = {}
    for name in COLUMNS:
        if name in CATEGORIES:
            shares = [frame[name].astype(str).value_counts(normalize=True)
                      for frame in (ours, theirs)]
            found[name] = shares[0].sub(shares[1], fill_value=0).abs().sum() / 2
        else:
            found[name] = stats.ks_2samp(ours[name].astype(float),
                                         theirs[name].astype(float)).statistic
    return found


@check(f"network: greatest KS or TV of a column, {ROWS} records", "ctgan's sample",
       at_most(0.02))
def columns():
    found = distances(drawn(), trained()[0].sample(ROWS))
    print("    " + ", ".join(f"{name} {figure:.4f}" for name, figure in found.items()))
    return float(max(found.values()))


@check("network: correlations of all pairs of numbers", "ctgan's sample", at_most(0.03))
def pairs():
    numbers = [name for name in COLUMNS if name not in CATEGORIES]
    ours, theirs = [numpy.corrcoef(frame[numbers].T.astype(float))
                    for frame in (drawn(), trained()[0].sample(ROWS))]
    return float(numpy.abs(ours - theirs).max())


@check("network: records of a category, those of ctgan that meet it", "ctgan's sample(condition)",
       at_most(0.03))
def one_category():
    """ctgan keeps records that miss the condition: they are left out here. It normalises by its
    own batch, whose records all have the condition: here by the same numbers as ours. The condition
    is on the first field of categories: ctgan 0.12.1 puts those on others in the wrong place."""
    model = trained()[0]
    model._generator.eval()
    theirs = model.sample(2 * ROWS, condition_column="gender", condition_value="F")
    model._generator.train()
    ours = drawn({"gender": "F"})
    if set(ours["gender"]) != {"F"}:
        return 1.0
    return float(max(distances(ours, theirs[theirs["gender"] == "F"]).values()))


@check("network: records per CPU second, as many times as ctgan makes", "ctgan, one thread",
       at_least(1))
def speed():
    model, _, file = trained()
    ours = float(probe("speed", file.name, ROWS))
    begun = time.process_time()
    model.sample(ROWS)
    theirs = ROWS / (time.process_time() - begun)
    print(f"    ours {ours:,.0f}, ctgan {theirs:,.0f} records per CPU second")
    return ours / theirs
