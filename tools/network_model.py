"""Writes a model document of type network (docs/NETWORK_MODEL.md) from a trained CTGAN.

    python tools/network_model.py MODEL.pkl OUT.json [--name NAME] [--batches N]

MODEL.pkl is what CTGAN.save wrote; the environment needs the packages of
tools/network_model_requirements.txt. Loading it runs what it holds: load only models that you
trust. The document itself is data: numbers, names and categories.

CTGAN normalises the outputs of its hidden layers by the batch that it makes. A row that shall be
the same in any batch needs fixed numbers: here the means over --batches batches, which is what a
row meets there on the average."""

import argparse
import base64
import json

import numpy


def floats(array):
    """Base64 of 32-bit floats, little-endian."""
    return base64.b64encode(numpy.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def fix_normalisation(model, batches):
    """Set the generator's stored means and variances to those of the batches that it samples."""
    import torch

    layers = [part for part in model._generator.modules()
              if isinstance(part, torch.nn.BatchNorm1d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a mean over all batches
    model.sample(batches * model._batch_size)
    if any(int(layer.num_batches_tracked) < batches for layer in layers):
        raise SystemExit("this ctgan does not normalise by batches: the layout is not known")


def number_field(info, dtype):
    """A number's modes: those of its Gaussian mixture that the transformer kept."""
    mixture = info.transform._bgm_transformer
    kept = numpy.asarray(info.transform.valid_component_indicator)
    means = mixture.means_.reshape(-1)[kept]
    deviations = numpy.sqrt(mixture.covariances_.reshape(-1)[kept])
    field = {"name": str(info.column_name), "kind": "number",
             "modes": [[float(mean), float(deviation)]
                       for mean, deviation in zip(means, deviations)]}
    if numpy.issubdtype(dtype, numpy.integer):
        field["decimals"] = 0
    return field


def plain(value):
    """A category as JSON holds it; missing ones are null."""
    if isinstance(value, (numpy.generic,)):
        value = value.item()
    if value is None or (isinstance(value, float) and numpy.isnan(value)):
        return None
    return value if isinstance(value, (bool, int, float)) else str(value)


def category_field(info, counts):
    values = list(info.transform.dummies)
    if len(values) < len(counts):
        values.append(None)
    return {"name": str(info.column_name), "kind": "category",
            "categories": [{"value": plain(value), "weight": int(count)}
                           for value, count in zip(values, counts)]}


def fields_of(model):
    transformer = model._transformer
    counts = [[len(rows) for rows in column] for column in model._data_sampler._rid_by_cat_cols]
    fields = []
    for info in transformer._column_transform_info_list:
        if info.column_type == "continuous":
            fields.append(number_field(info, transformer._column_raw_dtypes[info.column_name]))
        else:
            fields.append(category_field(info, counts.pop(0)))
    return fields


def linear(layer):
    """Torch keeps the weights of each output; a document those of each input."""
    return {"weights": floats(layer.weight.detach().cpu().numpy().T),
            "bias": floats(layer.bias.detach().cpu().numpy())}


def document_of(model, name="network", batches=200):
    """The document of a trained CTGAN, as a dictionary. The model's normalisation is fixed."""
    fix_normalisation(model, batches)
    *hidden, last = model._generator.seq
    layers = []
    for part in hidden:
        norm = part.bn
        layers.append({"outputs": part.fc.out_features, **linear(part.fc),
                       "normalisation": {
                           "mean": floats(norm.running_mean.cpu().numpy()),
                           "variance": floats(norm.running_var.cpu().numpy()),
                           "scale": floats(norm.weight.detach().cpu().numpy()),
                           "shift": floats(norm.bias.detach().cpu().numpy()),
                           "epsilon": norm.eps}})
    rows = int(model._data_sampler._data_length)
    return {"millrace_model": 1, "type": "network", "name": name, "version": 1, "rows": rows,
            "effective_rows": rows, "fields": fields_of(model), "latents": model._embedding_dim,
            "hidden": layers, "output": linear(last)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", help="what CTGAN.save wrote")
    parser.add_argument("document", help="the file to write")
    parser.add_argument("--name", default="network", help="the model's name in the document")
    parser.add_argument("--batches", type=int, default=200,
                        help="batches whose normalisation is averaged")
    arguments = parser.parse_args()
    from ctgan import CTGAN

    document = document_of(CTGAN.load(arguments.model), arguments.name, arguments.batches)
    with open(arguments.document, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")


if __name__ == "__main__":
    main()
