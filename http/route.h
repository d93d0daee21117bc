/* http/route.h — from a path to the route that serves it.
 * Model: a pattern's segments are words, {part} or, at the end, {rest*}. The first route of the
 * table that matches path and method wins; an unknown path knows the pattern nearest to it. */
#ifndef MR_HTTP_ROUTE_H
#define MR_HTTP_ROUTE_H

#include "http/server.h"

struct mr_http_match {
    const struct mr_http_route *route;
    const char *parts[MR_HTTP_PARTS_MAX];
    char allow[64];      /* of 405: the methods, "GET, HEAD" */
    const char *nearest; /* of 404: a pattern, or NULL */
};

/* Returns 200, 400 (an escape is broken), 404 or 405. path is still encoded. */
int mr_http_route_find(const struct mr_http_route *routes, bool method_known,
                       enum mr_http_method method, const char *path, struct mr_arena *arena,
                       struct mr_http_match *match);

/* Whether the path is open to all: probes and metrics. */
bool mr_http_route_is_open(const char *path);

#endif
