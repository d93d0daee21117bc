/* topology/crd.h — the CustomResourceDefinition of topologies in Kubernetes, made from the tables
 * of options: `millrace docs --crd`.
 * Model: an entry of a list (sources, operators, sinks) may have the options of any type, so the
 * structural schema is their union (DESIGN 2.1, rule 2). Of an option that has another YAML type in
 * one type than in another the schema says nothing, and its description both.
 * What the schema leaves to the program: names of types, which option belongs to which type,
 * bounds, choices and numbers, since `validate`, the webhook and the conditions tell those with
 * their line and a remedy. Numbers and integers may be texts there, because "${NAME}" may stand for
 * one; what is not known is kept, so that it can be named.
 * Bounds: a list has at most MR_LIMIT_TOPOLOGY_NODES entries. The whole stays below the 256 KiB
 * that `kubectl apply` keeps of an object. */
#ifndef MR_TOPOLOGY_CRD_H
#define MR_TOPOLOGY_CRD_H

#include "base/buffer.h"
#include "topology/type.h"

enum { MR_CRD_BYTES_MAX = 256 << 10 };

/* Append it as YAML. MR_LIMIT: the buffer's ceiling is reached. */
enum mr_status mr_crd_write(const struct mr_catalogue *catalogue,
                            struct mr_buffer *output) MR_NODISCARD;

#endif
