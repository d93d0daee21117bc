/* coordinator/kubernetes_json.h — JSON of the API server, read whatever users have put into it.
 * Why not json_loadb: a kind may hold values that the server keeps and jansson refuses, and with
 * one of them in one object a whole list could not be read. So they are read as something that the
 * object's definition is refused for, or that means the same:
 *   an integer outside of 64 bits (1e20 is sent as its digits)   the same as a real number
 *   the character NUL in a text or a key                         MR_KUBERNETES_NUL
 *   lists and mappings below MR_KUBERNETES_JSON_DEPTH levels     null
 * Pure. See: kubernetes_definition.h. */
#ifndef MR_COORDINATOR_KUBERNETES_JSON_H
#define MR_COORDINATOR_KUBERNETES_JSON_H

#include "base/slice.h"

#include <jansson.h>

/* U+FFFF: no character, and not allowed in YAML. */
#define MR_KUBERNETES_NUL "\xEF\xBF\xBF"

/* Far more than a definition may have (MR_LIMIT_YAML_DEPTH), less than jansson takes. */
enum { MR_KUBERNETES_JSON_DEPTH = 512 };

/* A new reference; NULL: it is no JSON. */
json_t *mr_kubernetes_json(struct mr_slice text);

#endif
