/* coordinator/kubernetes_definition.h — objects of Kubernetes as definitions, and what is wrong
 * with them in the words of `millrace validate`.
 * Model: the API server keeps a Topology as JSON; lines are not in it. Its definition is written
 * anew in the layout that `kubectl get -o yaml` has: apiVersion, kind, metadata with its name only,
 * spec. Lines of findings count in that text, and each finding brings the line itself and the path
 * of the field, so that it is found in the user's file. A ConfigMap holds a definition as text:
 * lines are the user's. Pure. */
#ifndef MR_COORDINATOR_KUBERNETES_DEFINITION_H
#define MR_COORDINATOR_KUBERNETES_DEFINITION_H

#include "base/arena.h"
#include "topology/report.h"

#include <jansson.h>

/* The definition of a Topology, in arena. MR_LIMIT: it is larger than a definition may be, or
 * nested deeper; MR_INVALID: a text holds a NUL (kubernetes_json.h). The same object gives the same
 * bytes. */
enum mr_status mr_kubernetes_definition(const json_t *object, struct mr_arena *arena,
                                        struct mr_slice *definition,
                                        struct mr_error *error) MR_NODISCARD;

/* The definition in a ConfigMap: its entry topology.yaml, else its only one. Borrows object.
 * MR_INVALID: there is none, or it holds a NUL. */
enum mr_status mr_kubernetes_definition_text(const json_t *object, struct mr_slice *definition,
                                             struct mr_error *error) MR_NODISCARD;

/* Findings (a list of objects with line, column, severity and message, as the API has them) with
 * `field` and `text` where their line says them. A new reference. */
json_t *mr_kubernetes_findings(struct mr_slice definition, const json_t *findings);

/* Errors among findings as people read them, one a line: "line 12, spec.operators[1].threshold:
 * message (`threshold: x`)"; at most size - 1 bytes, cut between findings. */
void mr_kubernetes_findings_text(const json_t *findings, char *text, size_t size);

#endif
