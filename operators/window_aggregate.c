/* operators/window_aggregate.c — window.aggregate: one record per key and window.
 * Design: the table; what is done with rows is in windowing.c and the kinds of windows.
 * Stored: see window_ring.h, window_list.h, window_pane.h. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/group_object.h"
#include "operators/registry.h"
#include "operators/windowing.h"

static const char *const emits[] = {"close", "update", "periodic", NULL};
static const char *const times[] = {"event", "processing", NULL};

static const char groups_table[] = "groups";

static const struct mr_options *window_options(const struct mr_options *options)
{
    return &mr_options_get(options, "window")->objects[0];
}

/* ---- What the planner and queries ask ---- */

static bool reads_wall_clock(const struct mr_options *options)
{
    return mr_options_integer(options, "time") == 1;
}

static void window_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_option_value *aggregates = mr_options_get(options, "aggregates");
    struct mr_aggregate_set set;
    struct mr_error error;
    if (aggregates->calls == NULL || mr_aggregate_set_init(&set, aggregates, &error) != MR_OK)
        set = (struct mr_aggregate_set){.cell_bytes = MR_AGGREGATE_SET_CELL_BYTES};
    struct mr_window window;
    mr_window_read(window_options(options), &window);
    mr_windowing_estimate(&window, mr_options_integer(options, "lateness"), &set, estimate);
}

/* A window of records knows no time. */
static enum mr_status check_count(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    *option = mr_options_integer(options, "lateness") > 0 ? "lateness"
              : mr_options_integer(options, "emit") != 0  ? "emit"
              : mr_options_integer(options, "time") != 0  ? "time"
                                                          : "emit_every";
    if (strcmp(*option, "emit_every") == 0 && !mr_options_present(options, "emit_every"))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "'%s' has no meaning for a count window: it is told by records, not by time",
                   *option);
}

/* One result per record, and that one final. */
static enum mr_status check_sliding(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    *option = "time";
    if (reads_wall_clock(options))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a sliding window is told by event time: leave out time: processing");
    *option = mr_options_integer(options, "emit") != MR_EMIT_CLOSE ? "emit" : "emit_every";
    if (strcmp(*option, "emit_every") == 0 && !mr_options_present(options, "emit_every"))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "'%s' has no meaning for a sliding window: each record has one result, when the "
                   "watermark has passed it",
                   *option);
}

static enum mr_status window_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    *option = "window";
    enum mr_status status = mr_window_check(window_options(options), error);
    if (status != MR_OK)
        return status;
    struct mr_window window;
    mr_window_read(window_options(options), &window);
    if (window.kind == MR_WINDOW_SLIDING)
        return check_sliding(options, option, error);
    if (window.kind == MR_WINDOW_COUNT)
        return check_count(options, option, error);
    bool periodic = mr_options_integer(options, "emit") == MR_EMIT_PERIODIC;
    *option = periodic ? "emit" : "emit_every";
    if (periodic != mr_options_present(options, "emit_every"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       periodic ? "emit: periodic needs `emit_every`, the time between results"
                                : "'emit_every' has no meaning without emit: periodic");
    *option = "lateness";
    if (reads_wall_clock(options) && mr_options_integer(options, "lateness") > 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'lateness' has no meaning with time: processing: no record is late");
    return MR_OK;
}

static enum mr_status window_check_bound(const struct mr_options *options, const char **option,
                                         struct mr_error *error)
{
    struct mr_window window;
    struct mr_aggregate_set set;
    enum mr_status status = mr_aggregate_set_check(options, option, error);
    mr_window_read(window_options(options), &window);
    const struct mr_option_value *aggregates = mr_options_get(options, *option);
    if (status != MR_OK || window.kind != MR_WINDOW_SLIDING || aggregates->calls == NULL)
        return status;
    status = mr_aggregate_set_init(&set, aggregates, error);
    return status == MR_OK ? mr_windowing_sliding_check(&set, error) : status;
}

static const struct mr_option_spec window_aggregate_options[] = {
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "Which records belong together: exactly one of tumbling, hopping, sliding, session "
             "and count."},
    {.name = "time",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "event",
     .choices = times,
     .help = "The records' event time, or the clock of the task (processing): then results depend "
             "on when records are read, and a replay gives others."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help =
         "How long a window stays open behind its end (that of a sliding one is its record): its "
         "result waits until the watermark is this far behind the end, and records are late "
         "from then on."},
    {.name = "emit",
     .type = MR_OPTION_CHOICE,
     .default_text = "close",
     .choices = emits,
     .help = "close: one result per window, when it is closed. update: one for each record that "
             "changes it. periodic: one every `emit_every` while it changes, and the final one. "
             "Sliding and count windows know `close` only. The newest result of a key and "
             "window_start counts; a session that an earlier record takes to another begin, or "
             "joins to the one before it, is taken back first: its last result comes again with "
             "`retracted: true`."},
    {.name = "emit_every",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Time between results of emit: periodic, as the watermark tells it."},
    {.name = "aggregates",
     .type = MR_OPTION_AGGREGATES,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_AGGREGATE_SET_MAX,
     .help = "What is computed of a window's records: a field of the result each, as in "
             "{rows: count(), mean: avg(value), p99: 'quantile(value, 0.99)'}."},
    {.name = "having",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_OF_OUTPUT,
     .help =
         "A CEL condition over the result's fields: results for which it is false are dropped."},
    {.name = NULL},
};

static const struct mr_output_field window_fields[] = {
    {"window_start", MR_TYPE_INT, "The window's begin, ms since the epoch, inclusive."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
    {"retracted", MR_TYPE_BOOL,
     "true: there is no window with this key and window_start any more, an earlier result of it "
     "does not count (sessions with emit: update or periodic). Else not there."},
};

static const struct mr_output_spec window_outputs[] = {
    {.name = "main",
     .help = "One record per key and window: the key's fields, those below, and one per aggregate. "
             "Its event time is window_end - 1 ms.",
     .fields = window_fields,
     .fields_count = MR_ARRAY_COUNT(window_fields)},
    {.name = "late", .help = "Records that came when all their windows were closed, unchanged."},
};

const struct mr_operator_type mr_operator_window_aggregate = {
    .spec =
        {
            .name = "window.aggregate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Sums up the records of each key and window.",
            .description =
                "Records of one `key` in one `window` make one record: counts, sums, averages and "
                "what else `aggregates` asks for. A window is closed when the watermark reaches "
                "its end plus `lateness`; results leave in the order of (window end, key). Records "
                "that come later go to the output `late` and are counted.\n\n"
                "Windows are aligned to the epoch in UTC, or to midnight in the `zone`: a window "
                "of "
                "1d is then a day of its calendar, of 23, 24 or 25 hours, and one of 6h a quarter "
                "of it by the clock. A time that the clock skips is the instant of the jump; one "
                "that comes twice counts when it comes first. Weeks that begin on Monday are "
                "{tumbling: 7d, offset: 4d}. Zones come from the tz database of the machine "
                "(package tzdata); all workers and the coordinator must say the same of a zone, or "
                "they refuse the topology.\n\nHopping windows are computed from panes: "
                "a record is added once, whatever number of windows it is in. State is kept per "
                "key with an open window, and leaves with its last one.\n\n"
                "A sliding window of 10s gives one result per record, of event time t, over the "
                "records of its key in (t - 10s, t], that record and all others of its millisecond "
                "with it: as SQL's RANGE BETWEEN INTERVAL '9.999' SECOND PRECEDING AND CURRENT "
                "ROW. It leaves when the watermark has passed t (and `lateness`); window_end is "
                "t + 1 ms. Totals of neighbouring records are kept, so that a record costs some "
                "forty merges at most, however long the window is; state is some two times the "
                "aggregates per record of the window. `state: {max_keys}` bounds the keys, and "
                "beside them the milliseconds of which records wait for the watermark. Functions "
                "that keep more than a few numbers (collect, quantile, median, distinct counts, "
                "heavy_hitters, a large top_n) keep that of each record there, a kilobyte or two "
                "at least, and merge as much: a hopping window with a short `every` is far "
                "lighter.\n\n"
                "For sums without windows use `aggregate`; to flag single records use a detector.",
            .options = window_aggregate_options,
            .outputs = window_outputs,
            .outputs_count = MR_ARRAY_COUNT(window_outputs),
            .state_version = MR_GROUP_OBJECT_VERSION,
            .estimate = window_estimate,
            .check = window_check,
            .check_bound = window_check_bound,
            .reads_wall_clock = reads_wall_clock,
        },
    .instance_size = sizeof(struct mr_windowing),
    .open = mr_windowing_open,
    .process = mr_windowing_process,
    .on_watermark = mr_windowing_watermark,
    .horizon = mr_windowing_horizon,
    .on_wall = mr_windowing_wall,
    .reach = mr_windowing_reach,
    .close = mr_windowing_close,
    .state_table = groups_table,
    .describe_state = mr_windowing_describe,
};
