/* topology/window_option.c — see window_option.h. */
#include "topology/window_option.h"

#include <inttypes.h>

static const char *const kinds[] = {"tumbling", "hopping", "sliding", "session", "count"};

enum { KINDS_COUNT = 5 };

const struct mr_option_spec mr_window_options[] = {
    {.name = "tumbling",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 3660.0 * 86400e3,
     .help = "Windows of this length, one behind the other, aligned to the epoch."},
    {.name = "hopping",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 3660.0 * 86400e3,
     .help = "Windows of this length, of which one begins every `every`."},
    {.name = "sliding",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "For each record the window of this length that ends with it: records of its key with "
             "an event time in (t - length, t]."},
    {.name = "session",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Records of a key that are less than this apart; a pause of this length ends it."},
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 1e6,
     .help = "The last so many records of a key."},
    {.name = "every",
     .type = MR_OPTION_STEP,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of `hopping`: the time between the starts of windows. Of `count`: the records "
             "between results (default: as many as `count`)."},
    {.name = "offset",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of `tumbling` and `hopping`: how far starts are behind the epoch, or, with `zone`, "
             "behind midnight."},
    {.name = "zone",
     .type = MR_OPTION_ZONE,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of `tumbling` and `hopping` of whole days, or of parts of a day: the time zone of "
             "their midnight, as Europe/Berlin. Days then last 23, 24 or 25 hours. Default: UTC."},
    {.name = NULL},
};

static bool given(const struct mr_options *options, const char *name)
{
    return mr_options_present(options, name);
}

static int64_t greatest_common_divisor(int64_t left, int64_t right)
{
    while (right != 0) {
        int64_t rest = left % right;
        left = right;
        right = rest;
    }
    return left;
}

void mr_window_read(const struct mr_options *options, struct mr_window *window)
{
    *window = (struct mr_window){0};
    for (int kind = 0; kind < KINDS_COUNT; kind++)
        if (given(options, kinds[kind]))
            window->kind = (enum mr_window_kind)kind;
    int64_t length = mr_options_integer(options, kinds[window->kind]);
    int64_t every = given(options, "every") ? mr_options_integer(options, "every") : length;
    if (window->kind == MR_WINDOW_COUNT) {
        window->count = (uint32_t)length;
        window->every_count = (uint32_t)every;
        return;
    }
    window->size_ms = length;
    if (window->kind > MR_WINDOW_HOPPING)
        return;
    window->every_ms = every;
    window->pane_ms = greatest_common_divisor(length, every);
    if (given(options, "offset"))
        window->offset_ms = mr_options_integer(options, "offset") % every;
    const char *zone = mr_options_text(options, "zone");
    if (zone == NULL || strcmp(zone, "UTC") == 0)
        return;
    window->zone_name = zone;
    window->zone = mr_options_get(options, "zone")->zone;
}

#define REFUSE(...) MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, __VA_ARGS__)

static enum mr_status check_every(const struct mr_options *options, enum mr_window_kind kind,
                                  struct mr_error *error)
{
    const char *name = kinds[kind];
    if (!given(options, "every"))
        return kind == MR_WINDOW_HOPPING
                   ? REFUSE("a hopping window needs `every`, the time between the starts of "
                            "windows, as in window: {hopping: 10s, every: 2s}")
                   : MR_OK;
    const struct mr_option_value *every = mr_options_get(options, "every");
    if (kind != MR_WINDOW_HOPPING && kind != MR_WINDOW_COUNT)
        return REFUSE("'window.every' has no meaning for a %s window: it belongs to hopping and "
                      "count",
                      name);
    if (every->boolean != (kind == MR_WINDOW_COUNT))
        return REFUSE("'window.every' of a %s window is %s", name,
                      every->boolean ? "a duration with its unit, as in 2s"
                                     : "a number of records, without a unit");
    if (every->integer < 1 || every->integer > mr_options_integer(options, name))
        return REFUSE("'window.every' must be at least 1%s and at most the window's length: with a "
                      "longer step some records would be in no window",
                      every->boolean ? "" : "ms");
    int64_t count = mr_options_integer(options, name);
    if (every->boolean &&
        count / greatest_common_divisor(count, every->integer) > MR_WINDOW_PARTS_MAX)
        return REFUSE("%" PRId64 " records every %" PRId64 " are made of %" PRId64
                      " parts, at most %d are kept: choose a larger `every` that divides the count",
                      count, every->integer, count / greatest_common_divisor(count, every->integer),
                      (int)MR_WINDOW_PARTS_MAX);
    return MR_OK;
}

/* Windows are aligned to midnight: it must be the begin of one. */
static bool fits_days(int64_t length_ms)
{
    return length_ms % MR_WINDOW_DAY_MS == 0 || MR_WINDOW_DAY_MS % length_ms == 0;
}

static enum mr_status check_place(const struct mr_options *options, enum mr_window_kind kind,
                                  struct mr_error *error)
{
    bool aligned = kind == MR_WINDOW_TUMBLING || kind == MR_WINDOW_HOPPING;
    if (!aligned && (given(options, "offset") || given(options, "zone")))
        return REFUSE("'window.%s' has no meaning for a %s window: it belongs to tumbling and "
                      "hopping",
                      given(options, "offset") ? "offset" : "zone", kinds[kind]);
    struct mr_window window;
    mr_window_read(options, &window);
    if (!aligned)
        return MR_OK;
    if (given(options, "offset") && (mr_options_integer(options, "offset") < 0 ||
                                     mr_options_integer(options, "offset") >= window.every_ms))
        return REFUSE("'window.offset' must be less than %s: another offset gives the same windows",
                      kind == MR_WINDOW_TUMBLING ? "the window's length" : "'window.every'");
    if (window.zone_name != NULL && (!fits_days(window.size_ms) || !fits_days(window.every_ms)))
        return REFUSE("with 'window.zone' a window%swhole days, or a part of which a day has a "
                      "whole number, as 1d, 7d, 6h or 30m",
                      kind == MR_WINDOW_HOPPING ? " and its step last " : " lasts ");
    if (window.size_ms / window.pane_ms > MR_WINDOW_PANES_MAX)
        return REFUSE("the window and its step have %" PRId64 " steps of %" PRId64
                      " ms in common, at most %d are kept: choose a longer step that divides the "
                      "window's length",
                      window.size_ms / window.pane_ms, window.pane_ms, (int)MR_WINDOW_PANES_MAX);
    return MR_OK;
}

enum mr_status mr_window_check(const struct mr_options *options, struct mr_error *error)
{
    int found = -1;
    for (int kind = 0; kind < KINDS_COUNT; kind++) {
        if (!given(options, kinds[kind]))
            continue;
        if (found >= 0)
            return REFUSE("'window' has both %s and %s: a window is of one kind", kinds[found],
                          kinds[kind]);
        found = kind;
    }
    if (found < 0)
        return REFUSE("'window' needs one of tumbling, hopping, sliding, session and count, as in "
                      "window: {tumbling: 10s}");
    enum mr_status status = check_every(options, (enum mr_window_kind)found, error);
    return status == MR_OK ? check_place(options, (enum mr_window_kind)found, error) : status;
}
