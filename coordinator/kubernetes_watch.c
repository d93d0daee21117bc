/* coordinator/kubernetes_watch.c — see kubernetes_watch.h. */
#include "coordinator/kubernetes_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "coordinator/kubernetes_json.h"

#include <stdio.h>

enum {
    ROUND_S = 290,
    PAGE_OBJECTS = 20, /* of at most 1.5 MiB each: an answer stays below its bound */
    PATH_SIZE = 4096,
    PAUSE_MS_MIN = 500,
    PAUSE_MS_MAX = 30000, /* a message says it */
    STEP_MS = 100,
    MARGIN_MS = 20000
};

struct round {
    struct mr_kubernetes_watch *watch;
    enum mr_status status;
    struct mr_error *error;
};

static const char *version_of(const json_t *object)
{
    const char *version =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
    return version != NULL ? version : "";
}

/* Versions are opaque, and go into a URL: what is not plain is not kept. */
static void note_version(struct mr_kubernetes_watch *watch, const json_t *object)
{
    const char *version = version_of(object);
    size_t size =
        strspn(version, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    if (size > 0 && size < sizeof(watch->version) && version[size] == '\0')
        memcpy(watch->version, version, size + 1);
}

/* ---- Listing ---- */

/* Tokens of pages are base64url without padding in practice; anything else is escaped. */
static bool escape(const char *text, char *escaped, size_t size)
{
    size_t at = 0;
    for (; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-_.~", byte) != NULL;
        if (at + 4 > size)
            return false;
        at += (size_t)snprintf(escaped + at, size - at, plain ? "%c" : "%%%02X", byte);
    }
    escaped[at] = '\0';
    return true;
}

static enum mr_status get_page(struct mr_kubernetes_client *client,
                               const struct mr_kubernetes_watch *watch, const char *next,
                               json_t **page, struct mr_error *error)
{
    char path[PATH_SIZE];
    char token[PATH_SIZE / 2];
    if (!escape(next, token, sizeof(token)))
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_RETRY,
                       "The API server's token for the next page is too long.");
    (void)snprintf(path, sizeof(path), "%s?limit=%d%s%s%s%s", watch->path, PAGE_OBJECTS,
                   watch->selector != NULL ? "&labelSelector=" : "",
                   watch->selector != NULL ? watch->selector : "",
                   token[0] != '\0' ? "&continue=" : "", token);
    return mr_kubernetes_client_get(client, path, page, error);
}

/* Returns whether all of it was within the bound. */
static bool visit_page(struct mr_kubernetes_watch *watch, const json_t *page, size_t *objects_count)
{
    const json_t *items = json_object_get(page, "items");
    for (size_t index = 0; index < json_array_size(items); index++) {
        if (*objects_count == MR_KUBERNETES_OBJECTS_MAX) {
            MR_LOG_AT(MR_LOG_ERROR, "kubernetes", NULL,
                      "there are more than %d objects at %.200s: the rest is left out",
                      MR_KUBERNETES_OBJECTS_MAX, watch->path);
            return false;
        }
        ++*objects_count;
        watch->visit(watch->argument, MR_KUBERNETES_OBJECT, json_array_get(items, index));
    }
    return true;
}

/* All pages; what is beyond the bound is not asked for. */
static enum mr_status list_pages(struct mr_kubernetes_client *client,
                                 struct mr_kubernetes_watch *watch, struct mr_error *error)
{
    char next[PATH_SIZE / 4] = "";
    size_t objects_count = 0;
    enum mr_status status = MR_OK;
    do {
        json_t *page;
        if (watch->given_up(watch->argument))
            return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_NONE, "The watch is given up.");
        status = get_page(client, watch, next, &page, error);
        if (status != MR_OK)
            return status;
        const char *more =
            json_string_value(json_object_get(json_object_get(page, "metadata"), "continue"));
        if (snprintf(next, sizeof(next), "%s", more != NULL ? more : "") >= (int)sizeof(next))
            status = MR_FAIL(error, MR_LIMIT, MR_RECOVERY_RETRY,
                             "The API server's token for the next page is too long.");
        else if (!visit_page(watch, page, &objects_count))
            next[0] = '\0';
        if (status == MR_OK && next[0] == '\0') /* pages of one list have the same version */
            note_version(watch, page);
        json_decref(page);
    } while (status == MR_OK && next[0] != '\0');
    return status;
}

/* Whether it was the API server that refused: a missing token file is no answer of it. */
static bool is_refusal(const struct mr_error *error, int code)
{
    return error->origin_code == code && strcmp(error->origin, "kubernetes") == 0;
}

/* A kind that is not installed, or that must not be looked at, has no objects that could be acted
 * on. That is told, so that what waits for this list goes on; it is asked again later. */
static enum mr_status list(struct mr_kubernetes_client *client, struct mr_kubernetes_watch *watch,
                           struct mr_error *error)
{
    watch->visit(watch->argument, MR_KUBERNETES_LISTING, NULL);
    enum mr_status status = list_pages(client, watch, error);
    bool unknown = status != MR_OK && is_refusal(error, 404);
    if (status == MR_OK || unknown || is_refusal(error, 403))
        watch->visit(watch->argument, MR_KUBERNETES_LISTED, NULL);
    return !unknown ? status
                    : MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_RETRY,
                              "Kubernetes has no %.200s: their definition is not installed. It is "
                              "looked for again every half minute.",
                              watch->path);
}

/* ---- Watching ---- */

static bool fail_round(struct round *round, enum mr_status status)
{
    round->status = status;
    return false;
}

/* An event that says that the watch cannot go on. */
static bool take_error(struct round *round, const json_t *object)
{
    json_int_t code = json_integer_value(json_object_get(object, "code"));
    const char *message = json_string_value(json_object_get(object, "message"));
    return fail_round(round, MR_FAIL(round->error, code == 410 ? MR_VERSION : MR_IO,
                                     MR_RECOVERY_RETRY, "The watch of %.160s has ended: %.300s",
                                     round->watch->path, message != NULL ? message : "no reason"));
}

static bool take_line(void *argument, struct mr_slice line)
{
    struct round *round = argument;
    struct mr_kubernetes_watch *watch = round->watch;
    json_t *event = mr_kubernetes_json(line);
    const char *type = json_string_value(json_object_get(event, "type"));
    json_t *object = json_object_get(event, "object");
    bool more = true;
    if (type == NULL || !json_is_object(object)) {
        more = fail_round(round, MR_FAIL(round->error, MR_CORRUPT, MR_RECOVERY_RETRY,
                                         "The watch of %.200s brought no event.", watch->path));
    } else if (strcmp(type, "ERROR") == 0) {
        more = take_error(round, object);
    } else {
        if (strcmp(type, "DELETED") == 0)
            watch->visit(watch->argument, MR_KUBERNETES_DELETED, object);
        else if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
            watch->visit(watch->argument, MR_KUBERNETES_OBJECT, object);
        note_version(watch, object); /* of a BOOKMARK, too */
    }
    json_decref(event);
    return more;
}

static bool is_given_up(void *argument)
{
    const struct round *round = argument;
    return round->watch->given_up(round->watch->argument);
}

static enum mr_status follow(struct mr_kubernetes_client *client, struct mr_kubernetes_watch *watch,
                             struct mr_error *error)
{
    char path[PATH_SIZE];
    struct round round = {.watch = watch, .error = error};
    uint32_t round_s = watch->round_s != 0 ? watch->round_s : ROUND_S;
    const struct mr_http_lines lines = {.wait_ms = round_s * 1000 + MARGIN_MS,
                                        .line_bytes_max = MR_KUBERNETES_EVENT_BYTES_MAX,
                                        .visit = take_line,
                                        .given_up = is_given_up,
                                        .argument = &round};
    (void)snprintf(
        path, sizeof(path),
        "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s%s%s",
        watch->path, round_s, watch->version, watch->selector != NULL ? "&labelSelector=" : "",
        watch->selector != NULL ? watch->selector : "");
    enum mr_status status = mr_kubernetes_client_read_lines(client, path, &lines, error);
    return status == MR_OK ? round.status : status;
}

enum mr_status mr_kubernetes_watch_round(struct mr_kubernetes_client *client,
                                         struct mr_kubernetes_watch *watch, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (watch->version[0] == '\0')
        status = list(client, watch, error);
    if (status == MR_OK)
        status = follow(client, watch, error);
    if (status == MR_VERSION || status == MR_LIMIT)
        watch->version[0] = '\0';
    return status;
}

/* ---- Rounds ---- */

static void pause_for(const struct mr_kubernetes_watch *watch, uint64_t pause_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + pause_ms;
    while (!watch->given_up(watch->argument) && mr_clock_monotonic_ms() < until_ms)
        mr_clock_sleep_ms(STEP_MS);
}

void mr_kubernetes_watch_run(struct mr_kubernetes_client *client, struct mr_kubernetes_watch *watch)
{
    struct mr_random random;
    uint64_t pause_ms = PAUSE_MS_MIN;
    enum mr_status logged = MR_OK;
    mr_random_init(&random, mr_random_fresh_id(), 0);
    while (!watch->given_up(watch->argument)) {
        struct mr_error error;
        uint64_t begun_ms = mr_clock_monotonic_ms();
        enum mr_status status = mr_kubernetes_watch_round(client, watch, &error);
        if (status == MR_CLOSED)
            break;
        bool lasted = mr_clock_monotonic_ms() - begun_ms > PAUSE_MS_MAX;
        if (status == MR_OK || lasted)
            pause_ms = PAUSE_MS_MIN;
        if (status != MR_OK && status != MR_VERSION && status != logged)
            MR_LOG_AT(MR_LOG_WARNING, "kubernetes", NULL, "%s", error.message);
        logged = status == MR_VERSION ? logged : status;
        pause_for(watch, (uint64_t)((double)pause_ms * (0.5 + mr_random_double(&random))));
        if (status != MR_OK && pause_ms < PAUSE_MS_MAX)
            pause_ms = 2 * pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : PAUSE_MS_MAX;
    }
}
