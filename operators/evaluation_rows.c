/* operators/evaluation_rows.c — see evaluation_rows.h. */
#include "operators/evaluation_rows.h"

#include <math.h>

#include "base/assert.h"
#include "operators/operator.h"

/* ---- What is told ---- */

static const struct mr_output_field main_fields[] = {
    {"window_start", MR_TYPE_INT,
     "The window's begin, ms since the epoch, inclusive; running: that of the first window."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
    {"records", MR_TYPE_INT, "Records that were judged."},
    {"true_positives", MR_TYPE_INT, "Labelled records that were flagged."},
    {"false_positives", MR_TYPE_INT,
     "What was flagged without a label and in no episode's reach; of alerts also those about no "
     "record."},
    {"false_negatives", MR_TYPE_INT, "Labelled records that were not flagged."},
    {"true_negatives", MR_TYPE_INT, "Records without a label that were not flagged."},
    {"tolerated", MR_TYPE_INT,
     "What was flagged without a label in an episode's reach: neither right nor wrong."},
    {"precision", MR_TYPE_DOUBLE,
     "By records: true_positives / (true_positives + false_positives); null for 0 / 0, as the "
     "others."},
    {"recall", MR_TYPE_DOUBLE, "By records: true_positives / (true_positives + false_negatives)."},
    {"f1", MR_TYPE_DOUBLE, "The harmonic mean of both."},
    {"episodes", MR_TYPE_INT, "Episodes that are over."},
    {"episodes_found", MR_TYPE_INT, "Those with a detection."},
    {"episodes_missed", MR_TYPE_INT, "Those without."},
    {"false_alarms", MR_TYPE_INT, "False positives; those within `tolerance` of the last are one."},
    {"episode_precision", MR_TYPE_DOUBLE, "episodes_found / (episodes_found + false_alarms)."},
    {"episode_recall", MR_TYPE_DOUBLE, "episodes_found / episodes."},
    {"episode_f1", MR_TYPE_DOUBLE, "The harmonic mean of both."},
    {"false_alarms_per_hour", MR_TYPE_DOUBLE,
     "Of event time from the first record to the last; null where that is no time."},
    {"time_to_detect_mean", MR_TYPE_DOUBLE,
     "ms of event time from an episode's first record to its first detection; null where none was "
     "found."},
    {"time_to_detect_max", MR_TYPE_INT, "The longest of them."},
};

static const struct mr_output_field kind_fields[] = {
    {"window_start", MR_TYPE_INT, "As of the main output."},
    {"window_end", MR_TYPE_INT, "As of the main output."},
    {"label", MR_TYPE_STRING,
     "The kind; null: labelled records say none; (others): of kinds beyond 15."},
    {"records", MR_TYPE_INT, "Labelled records of the kind."},
    {"flagged", MR_TYPE_INT, "Those that were flagged."},
    {"recall", MR_TYPE_DOUBLE, "flagged / records."},
    {"episodes", MR_TYPE_INT, "Its episodes that are over."},
    {"episodes_found", MR_TYPE_INT, "Those with a detection."},
    {"episode_recall", MR_TYPE_DOUBLE, "episodes_found / episodes."},
    {"time_to_detect_mean", MR_TYPE_DOUBLE, "As of the main output."},
    {"time_to_detect_max", MR_TYPE_INT, "As of the main output."},
};

static const struct mr_output_field episode_fields[] = {
    {"first_time", MR_TYPE_INT, "Event time of the episode's first record, ms since the epoch."},
    {"last_time", MR_TYPE_INT, "Event time of its last one."},
    {"series", MR_TYPE_STRING, "The text of the fields of `series`; null without that option."},
    {"anomaly_id", MR_TYPE_STRING, "Its id, or null."},
    {"label", MR_TYPE_STRING, "Its kind, or null."},
    {"records", MR_TYPE_INT, "Its records."},
    {"flagged", MR_TYPE_INT, "Those that were flagged."},
    {"found", MR_TYPE_BOOL, "Whether it has a detection."},
    {"time_to_detect", MR_TYPE_INT,
     "ms of event time from its first record to the first detection; null without one."},
};

const struct mr_output_spec mr_evaluation_outputs[MR_EVALUATION_OUTPUTS_COUNT] = {
    {.name = "main",
     .help = "One record per key and window, when it is closed: the key's fields and those below. "
             "Its event time is window_end - 1 ms.",
     .fields = main_fields,
     .fields_count = MR_ARRAY_COUNT(main_fields)},
    {.name = "kinds",
     .help = "The same by the kind of anomaly.",
     .fields = kind_fields,
     .fields_count = MR_ARRAY_COUNT(kind_fields),
     .has_key = true},
    {.name = "episodes",
     .help = "One record per episode, when it is over; its event time is that.",
     .fields = episode_fields,
     .fields_count = MR_ARRAY_COUNT(episode_fields),
     .has_key = true},
    {.name = "late", .help = "Records that came behind the watermark: they are not judged."},
};

/* ---- Rows ---- */

void mr_evaluation_rows_open(struct mr_evaluation_rows *rows, const struct mr_operator_open *open)
{
    rows->has_series = mr_options_present(&open->node->options, "series");
    for (uint32_t output = 0; output < MR_EVALUATION_OWN_OUTPUTS; output++)
        mr_group_output_init_of(&rows->outputs[output], open, output);
}

static struct mr_value number_value(double number)
{
    return isfinite(number) ? mr_value_double(number) : mr_value_null();
}

static struct mr_value count_value(uint64_t count)
{
    return mr_value_int((int64_t)count);
}

static struct mr_value text_value(struct mr_arena *arena, const struct mr_evaluation_text *text)
{
    return text->size == 0
               ? mr_value_null()
               : mr_value_string(mr_arena_copy(arena, mr_slice_from(text->bytes, text->size)));
}

static struct mr_value delay_mean(const struct mr_evaluation_detections *detections)
{
    return detections->found == 0
               ? mr_value_null()
               : mr_value_double((double)detections->delay_ms / (double)detections->found);
}

static struct mr_value delay_max(const struct mr_evaluation_detections *detections)
{
    return detections->found == 0 ? mr_value_null() : count_value(detections->delay_max_ms);
}

static struct mr_value per_hour(const struct mr_evaluation_group *group)
{
    double hours = ((double)group->last_ms - (double)group->first_ms) / 3600e3;
    return hours > 0 ? mr_value_double((double)group->false_alarms / hours) : mr_value_null();
}

static void tell_kinds(struct mr_evaluation_rows *rows, struct mr_operator_context *context,
                       struct mr_slice key, const struct mr_evaluation_group *group)
{
    struct mr_group_output *output = &rows->outputs[MR_EVALUATION_OUTPUT_KINDS];
    for (uint32_t index = 0; index < group->kinds_count; index++) {
        const struct mr_evaluation_detections *of = &group->kinds[index].detections;
        struct mr_arena *arena = mr_group_output_arena(output, context);
        const struct mr_value results[] = {
            text_value(arena, &group->kinds[index].name),
            count_value(of->records),
            count_value(of->flagged),
            number_value(mr_evaluation_share(of->flagged, of->records - of->flagged)),
            count_value(of->episodes),
            count_value(of->found),
            number_value(mr_evaluation_share(of->found, of->episodes - of->found)),
            delay_mean(of),
            delay_max(of),
        };
        mr_group_output_row(output, context,
                            &(struct mr_group_row){.key = key,
                                                   .event_time_ms = group->end_ms - 1,
                                                   .times = {group->start_ms, group->end_ms},
                                                   .results = results});
    }
}

static void tell_main(struct mr_evaluation_rows *rows, struct mr_operator_context *context,
                      struct mr_slice key, const struct mr_evaluation_group *group)
{
    const struct mr_evaluation_detections *all = &group->all;
    uint64_t missed = all->records - all->flagged;
    uint64_t lost = all->episodes - all->found;
    struct mr_group_output *output = &rows->outputs[MR_EVALUATION_OUTPUT_MAIN];
    mr_group_output_arena(output, context);
    const struct mr_value results[] = {
        count_value(group->records),
        count_value(all->flagged),
        count_value(group->plain_flagged),
        count_value(missed),
        count_value(group->plain),
        count_value(group->tolerated),
        number_value(mr_evaluation_share(all->flagged, group->plain_flagged)),
        number_value(mr_evaluation_share(all->flagged, missed)),
        number_value(mr_evaluation_f1(all->flagged, missed, group->plain_flagged)),
        count_value(all->episodes),
        count_value(all->found),
        count_value(lost),
        count_value(group->false_alarms),
        number_value(mr_evaluation_share(all->found, group->false_alarms)),
        number_value(mr_evaluation_share(all->found, lost)),
        number_value(mr_evaluation_f1(all->found, lost, group->false_alarms)),
        per_hour(group),
        delay_mean(all),
        delay_max(all),
    };
    mr_group_output_row(output, context,
                        &(struct mr_group_row){.key = key,
                                               .event_time_ms = group->end_ms - 1,
                                               .times = {group->start_ms, group->end_ms},
                                               .results = results});
}

void mr_evaluation_rows_group(struct mr_evaluation_rows *rows, struct mr_operator_context *context,
                              struct mr_slice key, const struct mr_evaluation_group *group)
{
    tell_main(rows, context, key, group);
    tell_kinds(rows, context, key, group);
}

void mr_evaluation_rows_episodes(struct mr_evaluation_rows *rows,
                                 struct mr_operator_context *context,
                                 const struct mr_evaluation_moment *moment,
                                 const struct mr_evaluation_delta *delta)
{
    struct mr_group_output *output = &rows->outputs[MR_EVALUATION_OUTPUT_EPISODES];
    for (uint32_t index = 0; index < delta->closed_count; index++) {
        const struct mr_evaluation_episode *episode = &delta->closed[index];
        struct mr_arena *arena = mr_group_output_arena(output, context);
        bool is_found = episode->detected_ms != MR_EVALUATION_NEVER;
        const struct mr_value results[] = {
            rows->has_series ? mr_value_string(mr_arena_copy(arena, moment->series))
                             : mr_value_null(),
            text_value(arena, &episode->id),
            text_value(arena, &episode->kind),
            count_value(episode->records),
            count_value(episode->flagged),
            mr_value_bool(is_found),
            is_found ? count_value((uint64_t)episode->detected_ms - (uint64_t)episode->first_ms)
                     : mr_value_null(),
        };
        mr_group_output_row(output, context,
                            &(struct mr_group_row){.key = moment->key,
                                                   .event_time_ms = moment->time_ms,
                                                   .times = {episode->first_ms, episode->last_ms},
                                                   .results = results});
    }
}

void mr_evaluation_rows_end(struct mr_evaluation_rows *rows, struct mr_operator_context *context)
{
    for (uint32_t output = 0; output < MR_EVALUATION_OWN_OUTPUTS; output++)
        mr_group_output_end(&rows->outputs[output], context);
}
