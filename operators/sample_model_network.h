/* operators/sample_model_network.h — trained generator networks (network.h) as documents
 * (sample_model.h). docs/NETWORK_MODEL.md says the format to whoever writes one; tools/
 * network_model.py writes one from a trained CTGAN.
 * Document, beside what all types have:
 *   "latents": how many
 *   each of "fields": "kind" (number, category), and by kind
 *       numbers: "modes", a list of [mean, deviation], and "decimals", the digits behind the point;
 *         absent: as they come
 *       categories: "categories", a list of {"value": text, number, true, false or null, "weight"}
 *   "hidden": a list of layers {"outputs", "weights", "bias", "normalisation": {"mean",
 *     "variance", "scale", "shift", "epsilon"}}; normalisation may be absent
 *   "output": {"weights", "bias"}
 * Arrays are base64 of 32-bit floats, little-endian. weights: of each input (the outputs of the
 * layer before, ..., of the first one, the latents, the condition) its weight for each output.
 * Limits: as of network.h and sample_model.h; a drawing takes at most 20 MB. Pure. */
#ifndef MR_OPERATORS_SAMPLE_MODEL_NETWORK_H
#define MR_OPERATORS_SAMPLE_MODEL_NETWORK_H

#include "operators/network.h"

extern const struct mr_sample_type mr_sample_type_network;

/* The network of a model; NULL: it is of another type. */
const struct mr_network *mr_sample_model_network(const struct mr_sample_model *model);

#endif
