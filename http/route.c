/* http/route.c — from a path to the route that serves it.
 * Design: tables have tens of routes, so each is tried in turn. The nearest pattern is found by the
 * edit distance per segment; a {part} costs nothing. */
#include "http/route.h"

#include "base/assert.h"
#include "http/head.h"

enum { DISTANCE_TEXT_MAX = 48 };

static size_t segment_size(const char *text)
{
    return strcspn(text, "/");
}

/* Whether the pattern fits, its parts decoded into match. decoded is false when an escape of a part
 * is broken. */
static bool matches(const char *pattern, const char *path, struct mr_arena *arena,
                    struct mr_http_match *match, bool *decoded)
{
    uint32_t parts_count = 0;
    memset(match->parts, 0, sizeof match->parts);
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        size_t wanted = segment_size(pattern);
        size_t given = segment_size(path);
        if (wanted > 2 && pattern[0] == '{') {
            bool rest = pattern[wanted - 2] == '*';
            given = rest ? strlen(path) : given;
            MR_ASSERT(parts_count < MR_HTTP_PARTS_MAX);
            if (given == 0)
                return false;
            const char *part = mr_http_percent_decode(arena, path, given);
            *decoded = *decoded && part != NULL;
            match->parts[parts_count++] = part;
        } else if (wanted != given || memcmp(pattern, path, wanted) != 0) {
            return false;
        }
        pattern += wanted;
        path += given;
    }
    return *pattern == 0 && *path == 0;
}

/* Edit distance of two short texts; what is longer counts as all different. */
static uint32_t distance(const char *left, size_t left_size, const char *right, size_t right_size)
{
    if (left_size > DISTANCE_TEXT_MAX || right_size > DISTANCE_TEXT_MAX)
        return DISTANCE_TEXT_MAX;
    uint32_t row[DISTANCE_TEXT_MAX + 1];
    for (size_t j = 0; j <= right_size; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 1; i <= left_size; i++) {
        uint32_t diagonal = row[0];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= right_size; j++) {
            uint32_t best = diagonal + (left[i - 1] != right[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[right_size];
}

static uint32_t pattern_distance(const char *pattern, const char *path)
{
    uint32_t sum = 0;
    while (*pattern == '/' || *path == '/') {
        pattern += *pattern == '/';
        path += *path == '/';
        size_t wanted = segment_size(pattern);
        size_t given = segment_size(path);
        if (wanted > 2 && pattern[0] == '{') {
            sum += given == 0 ? 4 : 0;
            given = pattern[wanted - 2] == '*' ? strlen(path) : given;
        } else {
            sum += distance(pattern, wanted, path, given) + (given == 0 ? 2u : 0u);
        }
        pattern += wanted;
        path += given;
    }
    return sum;
}

static const char *nearest_pattern(const struct mr_http_route *routes, const char *path)
{
    const char *nearest = NULL;
    uint32_t least = UINT32_MAX;
    for (const struct mr_http_route *route = routes; route->pattern != NULL; route++) {
        uint32_t sum = pattern_distance(route->pattern, path);
        if (sum < least) {
            least = sum;
            nearest = route->pattern;
        }
    }
    return nearest;
}

static void add_allowed(struct mr_http_match *match, enum mr_http_method method)
{
    static const char *const names[] = {[MR_HTTP_GET] = "GET, HEAD",
                                        [MR_HTTP_POST] = "POST",
                                        [MR_HTTP_PUT] = "PUT",
                                        [MR_HTTP_DELETE] = "DELETE",
                                        [MR_HTTP_PATCH] = "PATCH"};
    if (strstr(match->allow, names[method]) != NULL)
        return;
    size_t size = strlen(match->allow);
    const char *comma = size > 0 ? ", " : "";
    size_t comma_size = strlen(comma);
    size_t name_size = strlen(names[method]);
    MR_ASSERT(size + comma_size + name_size < sizeof match->allow);
    memcpy(match->allow + size, comma, comma_size);
    memcpy(match->allow + size + comma_size, names[method], name_size + 1);
}

int mr_http_route_find(const struct mr_http_route *routes, bool method_known,
                       enum mr_http_method method, const char *path, struct mr_arena *arena,
                       struct mr_http_match *match)
{
    *match = (struct mr_http_match){0};
    for (const struct mr_http_route *route = routes; route->pattern != NULL; route++) {
        bool decoded = true;
        if (!matches(route->pattern, path, arena, match, &decoded))
            continue;
        if (!decoded)
            return 400;
        if (method_known && route->method == method) {
            match->route = route;
            return 200;
        }
        add_allowed(match, route->method);
    }
    if (match->allow[0] != 0)
        return 405;
    match->nearest = nearest_pattern(routes, path);
    return 404;
}

bool mr_http_route_is_open(const char *path)
{
    return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 ||
           strcmp(path, "/metrics") == 0;
}
