/* operators/evaluation.c — see evaluation.h. */
#include "operators/evaluation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/assert.h"

/* a + b, which is not below 0, without overflow. */
static int64_t plus(int64_t time_ms, int64_t span_ms)
{
    return time_ms > INT64_MAX - span_ms ? INT64_MAX : time_ms + span_ms;
}

static struct mr_evaluation_text text_of(struct mr_slice given)
{
    struct mr_evaluation_text text = {0};
    MR_ASSERT(given.size <= MR_EVALUATION_ID_MAX);
    text.size = (uint8_t)given.size;
    if (given.size > 0)
        memcpy(text.bytes, given.data, given.size);
    return text;
}

static bool same_text(const struct mr_evaluation_text *text, const struct mr_evaluation_text *other)
{
    return text->size == other->size && memcmp(text->bytes, other->bytes, text->size) == 0;
}

void mr_evaluation_delta_init(struct mr_evaluation_delta *delta)
{
    memset(delta, 0, offsetof(struct mr_evaluation_delta, closed));
}

void mr_evaluation_series_init(struct mr_evaluation_series *series)
{
    *series = (struct mr_evaluation_series){.alarm_ms = MR_EVALUATION_NEVER,
                                            .latest_ms = MR_EVALUATION_NEVER};
}

bool mr_evaluation_needs_series(const struct mr_evaluation_rules *rules,
                                const struct mr_evaluation_entry *entry)
{
    return entry->what == MR_ENTRY_ALERT || entry->labelled || entry->flagged || rules->by_alerts;
}

/* ---- Episodes ---- */

static void close_episode(struct mr_evaluation_series *series, uint32_t index,
                          struct mr_evaluation_delta *delta)
{
    MR_ASSERT(delta->closed_count < MR_EVALUATION_EPISODES_MAX + 1);
    delta->closed[delta->closed_count++] = series->episodes[index];
    series->count--;
    memmove(&series->episodes[index], &series->episodes[index + 1],
            (series->count - index) * sizeof(series->episodes[0]));
    series->episodes[series->count] = (struct mr_evaluation_episode){0};
}

static void close_oldest(struct mr_evaluation_series *series, struct mr_evaluation_delta *delta)
{
    uint32_t oldest = 0;
    for (uint32_t index = 1; index < series->count; index++)
        if (series->episodes[index].last_ms < series->episodes[oldest].last_ms)
            oldest = index;
    close_episode(series, oldest, delta);
}

/* The open episode of a labelled record; a new one where there is none. */
static struct mr_evaluation_episode *episode_of(struct mr_evaluation_series *series,
                                                const struct mr_evaluation_entry *entry,
                                                struct mr_evaluation_delta *delta)
{
    struct mr_evaluation_text id = text_of(entry->id);
    struct mr_evaluation_text kind = text_of(entry->kind);
    for (uint32_t index = 0; index < series->count; index++)
        if (same_text(&series->episodes[index].id, &id) &&
            same_text(&series->episodes[index].kind, &kind))
            return &series->episodes[index];
    if (series->count == MR_EVALUATION_EPISODES_MAX)
        close_oldest(series, delta);
    struct mr_evaluation_episode *episode = &series->episodes[series->count++];
    *episode = (struct mr_evaluation_episode){
        .first_ms = entry->time_ms, .detected_ms = MR_EVALUATION_NEVER, .id = id, .kind = kind};
    return episode;
}

static void detect(struct mr_evaluation_episode *episode, int64_t time_ms)
{
    if (episode->detected_ms == MR_EVALUATION_NEVER)
        episode->detected_ms = time_ms;
}

/* ---- Entries ---- */

static void flag_labelled(struct mr_evaluation_episode *episode, int64_t time_ms,
                          struct mr_evaluation_delta *delta)
{
    episode->flagged++;
    detect(episode, time_ms);
    delta->labelled_flagged++;
    delta->kind = episode->kind;
}

static void take_labelled(const struct mr_evaluation_rules *rules,
                          struct mr_evaluation_series *series,
                          const struct mr_evaluation_entry *entry,
                          struct mr_evaluation_delta *delta)
{
    struct mr_evaluation_episode *episode = episode_of(series, entry, delta);
    bool is_same_time = episode->records > 0 && episode->last_ms == entry->time_ms;
    episode->last_ms = entry->time_ms;
    episode->records++;
    if (rules->by_alerts)
        episode->unproved = is_same_time ? episode->unproved + 1 : 1;
    delta->labelled++;
    delta->kind = episode->kind;
    if (entry->flagged)
        flag_labelled(episode, entry->time_ms, delta);
}

/* Something that no label stands for has been flagged. */
static void flag_plain(const struct mr_evaluation_rules *rules, struct mr_evaluation_series *series,
                       int64_t time_ms, struct mr_evaluation_delta *delta)
{
    bool reached = false;
    for (uint32_t index = 0; index < series->count; index++) {
        struct mr_evaluation_episode *episode = &series->episodes[index];
        if (time_ms > plus(episode->last_ms, rules->tolerance_ms))
            continue;
        reached = true;
        detect(episode, time_ms);
    }
    if (reached) {
        delta->tolerated++;
        return;
    }
    delta->plain_flagged++;
    if (series->alarm_ms == MR_EVALUATION_NEVER ||
        time_ms > plus(series->alarm_ms, rules->tolerance_ms))
        delta->false_alarms++;
    series->alarm_ms = time_ms;
}

static void take_plain(const struct mr_evaluation_rules *rules, struct mr_evaluation_series *series,
                       const struct mr_evaluation_entry *entry, struct mr_evaluation_delta *delta)
{
    uint32_t index = 0;
    while (index < series->count)
        if (entry->time_ms > plus(series->episodes[index].last_ms, rules->tolerance_ms))
            close_episode(series, index, delta);
        else
            index++;
    if (entry->flagged)
        flag_plain(rules, series, entry->time_ms, delta);
    else
        delta->plain++;
    if (!rules->by_alerts)
        return;
    series->unproved = series->latest_ms == entry->time_ms ? series->unproved + 1 : 1;
    series->latest_ms = entry->time_ms;
}

static void take_alert(const struct mr_evaluation_rules *rules, struct mr_evaluation_series *series,
                       int64_t time_ms, struct mr_evaluation_delta *delta)
{
    for (uint32_t index = 0; index < series->count; index++) {
        struct mr_evaluation_episode *episode = &series->episodes[index];
        if (episode->last_ms != time_ms || episode->unproved == 0)
            continue;
        episode->unproved--;
        flag_labelled(episode, time_ms, delta);
        return;
    }
    if (series->latest_ms == time_ms && series->unproved > 0) {
        series->unproved--;
        delta->plain--; /* it counted as one that nothing flags */
    }
    flag_plain(rules, series, time_ms, delta);
}

void mr_evaluation_take(const struct mr_evaluation_rules *rules,
                        struct mr_evaluation_series *series,
                        const struct mr_evaluation_entry *entry, struct mr_evaluation_delta *delta)
{
    delta->time_ms = entry->time_ms;
    if (entry->what == MR_ENTRY_ALERT) {
        take_alert(rules, series, entry->time_ms, delta);
        return;
    }
    delta->records++;
    if (entry->labelled)
        take_labelled(rules, series, entry, delta);
    else
        take_plain(rules, series, entry, delta);
}

/* ---- Time ---- */

/* Until when an episode stays open without a record. */
static int64_t held_ms(const struct mr_evaluation_rules *rules,
                       const struct mr_evaluation_episode *episode)
{
    return plus(episode->last_ms, rules->tolerance_ms > rules->close_after_ms
                                      ? rules->tolerance_ms
                                      : rules->close_after_ms);
}

int64_t mr_evaluation_due_ms(const struct mr_evaluation_rules *rules,
                             const struct mr_evaluation_series *series)
{
    int64_t due_ms = INT64_MAX;
    for (uint32_t index = 0; index < series->count; index++) {
        int64_t held = held_ms(rules, &series->episodes[index]);
        due_ms = held < due_ms ? held : due_ms;
    }
    if (series->count == 0 && series->alarm_ms != MR_EVALUATION_NEVER)
        due_ms = plus(series->alarm_ms, rules->tolerance_ms);
    if (series->count == 0 && series->latest_ms != MR_EVALUATION_NEVER &&
        (due_ms == INT64_MAX || series->latest_ms > due_ms))
        due_ms = series->latest_ms;
    return plus(due_ms, 1);
}

void mr_evaluation_pass(const struct mr_evaluation_rules *rules,
                        struct mr_evaluation_series *series, int64_t now_ms,
                        struct mr_evaluation_delta *delta)
{
    uint32_t index = 0;
    while (index < series->count)
        if (held_ms(rules, &series->episodes[index]) < now_ms)
            close_episode(series, index, delta);
        else
            index++;
    if (series->alarm_ms != MR_EVALUATION_NEVER &&
        plus(series->alarm_ms, rules->tolerance_ms) < now_ms)
        series->alarm_ms = MR_EVALUATION_NEVER;
    if (series->latest_ms < now_ms) {
        series->latest_ms = MR_EVALUATION_NEVER;
        series->unproved = 0;
    }
}

/* ---- Counts ---- */

/* The counts of a kind; of all others where there is no room. */
static struct mr_evaluation_detections *kind_of(struct mr_evaluation_group *group,
                                                const struct mr_evaluation_text *name)
{
    const struct mr_evaluation_text others = text_of(mr_slice_text(MR_EVALUATION_OTHERS));
    for (uint32_t index = 0; index < group->kinds_count; index++)
        if (same_text(&group->kinds[index].name, name))
            return &group->kinds[index].detections;
    if (group->kinds_count == MR_EVALUATION_KINDS_MAX)
        return &group->kinds[MR_EVALUATION_KINDS_MAX - 1].detections;
    struct mr_evaluation_kind *kind = &group->kinds[group->kinds_count++];
    kind->name = group->kinds_count == MR_EVALUATION_KINDS_MAX ? others : *name;
    return &kind->detections;
}

static void count_episode(struct mr_evaluation_detections *detections,
                          const struct mr_evaluation_episode *episode)
{
    detections->episodes++;
    if (episode->detected_ms == MR_EVALUATION_NEVER)
        return;
    uint64_t delay_ms = (uint64_t)episode->detected_ms - (uint64_t)episode->first_ms;
    detections->found++;
    detections->delay_ms += delay_ms;
    if (delay_ms > detections->delay_max_ms)
        detections->delay_max_ms = delay_ms;
}

static void count_labelled(struct mr_evaluation_detections *detections,
                           const struct mr_evaluation_delta *delta)
{
    detections->records += (uint64_t)delta->labelled;
    detections->flagged += (uint64_t)delta->labelled_flagged;
}

void mr_evaluation_add(struct mr_evaluation_group *group, const struct mr_evaluation_delta *delta)
{
    if (delta->records > 0) {
        if (group->records == 0 || delta->time_ms < group->first_ms)
            group->first_ms = delta->time_ms;
        if (group->records == 0 || delta->time_ms > group->last_ms)
            group->last_ms = delta->time_ms;
    }
    group->records += (uint64_t)delta->records;
    group->plain_flagged += (uint64_t)delta->plain_flagged;
    /* Less one where an alert follows its record, whose group may have been forgotten since. */
    if (delta->plain > 0 || group->plain > 0)
        group->plain += (uint64_t)delta->plain;
    group->tolerated += (uint64_t)delta->tolerated;
    group->false_alarms += (uint64_t)delta->false_alarms;
    if (delta->labelled > 0 || delta->labelled_flagged > 0) {
        count_labelled(&group->all, delta);
        count_labelled(kind_of(group, &delta->kind), delta);
    }
    for (uint32_t index = 0; index < delta->closed_count; index++) {
        count_episode(&group->all, &delta->closed[index]);
        count_episode(kind_of(group, &delta->closed[index].kind), &delta->closed[index]);
    }
    group->changed = true;
}

double mr_evaluation_share(uint64_t part, uint64_t rest)
{
    double whole = (double)part + (double)rest;
    return whole > 0 ? (double)part / whole : (double)NAN;
}

double mr_evaluation_f1(uint64_t hits, uint64_t misses, uint64_t alarms)
{
    double whole = 2 * (double)hits + (double)misses + (double)alarms;
    return whole > 0 ? 2 * (double)hits / whole : (double)NAN;
}

/* ---- Stored bytes ---- */

static uint8_t *put_number(uint8_t *output, uint64_t number)
{
    mr_put_u64le(output, number);
    return output + 8;
}

static uint8_t *put_text(uint8_t *output, const struct mr_evaluation_text *text)
{
    *output++ = text->size;
    memcpy(output, text->bytes, text->size);
    return output + text->size;
}

static void read_text(struct mr_reader *reader, size_t size_max, struct mr_evaluation_text *text)
{
    *text = (struct mr_evaluation_text){.size = mr_read_u8(reader)};
    if (text->size > size_max) {
        reader->bad = true;
        text->size = 0;
    }
    const uint8_t *bytes = mr_read_bytes(reader, text->size);
    if (!reader->bad)
        memcpy(text->bytes, bytes, text->size);
}

size_t mr_evaluation_series_encode(const void *series, uint8_t *output)
{
    const struct mr_evaluation_series *given = series;
    uint8_t *next = put_number(output, (uint64_t)given->alarm_ms);
    next = put_number(next, (uint64_t)given->latest_ms);
    next = put_number(next, given->unproved);
    *next++ = (uint8_t)given->count;
    for (uint32_t index = 0; index < given->count; index++) {
        const struct mr_evaluation_episode *episode = &given->episodes[index];
        next = put_number(next, (uint64_t)episode->first_ms);
        next = put_number(next, (uint64_t)episode->last_ms);
        next = put_number(next, (uint64_t)episode->detected_ms);
        next = put_number(next, episode->records);
        next = put_number(next, episode->flagged);
        next = put_number(next, episode->unproved);
        next = put_text(next, &episode->id);
        next = put_text(next, &episode->kind);
    }
    return (size_t)(next - output);
}

bool mr_evaluation_series_decode(void *series, uint32_t version, struct mr_slice stored)
{
    struct mr_evaluation_series *read = series;
    struct mr_reader reader = mr_reader_from(stored);
    *read = (struct mr_evaluation_series){.alarm_ms = (int64_t)mr_read_u64(&reader),
                                          .latest_ms = (int64_t)mr_read_u64(&reader),
                                          .unproved = mr_read_u64(&reader),
                                          .count = mr_read_u8(&reader)};
    if (version != MR_EVALUATION_VERSION || read->count > MR_EVALUATION_EPISODES_MAX)
        return false;
    for (uint32_t index = 0; index < read->count; index++) {
        struct mr_evaluation_episode *episode = &read->episodes[index];
        episode->first_ms = (int64_t)mr_read_u64(&reader);
        episode->last_ms = (int64_t)mr_read_u64(&reader);
        episode->detected_ms = (int64_t)mr_read_u64(&reader);
        episode->records = mr_read_u64(&reader);
        episode->flagged = mr_read_u64(&reader);
        episode->unproved = mr_read_u64(&reader);
        read_text(&reader, MR_EVALUATION_ID_MAX, &episode->id);
        read_text(&reader, MR_EVALUATION_KIND_MAX, &episode->kind);
    }
    return !reader.bad && reader.cursor == reader.end;
}

static uint8_t *put_detections(uint8_t *output, const struct mr_evaluation_detections *detections)
{
    output = put_number(output, detections->records);
    output = put_number(output, detections->flagged);
    output = put_number(output, detections->episodes);
    output = put_number(output, detections->found);
    output = put_number(output, detections->delay_ms);
    return put_number(output, detections->delay_max_ms);
}

static void read_detections(struct mr_reader *reader, struct mr_evaluation_detections *detections)
{
    detections->records = mr_read_u64(reader);
    detections->flagged = mr_read_u64(reader);
    detections->episodes = mr_read_u64(reader);
    detections->found = mr_read_u64(reader);
    detections->delay_ms = mr_read_u64(reader);
    detections->delay_max_ms = mr_read_u64(reader);
}

size_t mr_evaluation_group_encode(const void *group, uint8_t *output)
{
    const struct mr_evaluation_group *given = group;
    uint8_t *next = put_number(output, (uint64_t)given->start_ms);
    next = put_number(next, (uint64_t)given->end_ms);
    next = put_number(next, (uint64_t)given->first_ms);
    next = put_number(next, (uint64_t)given->last_ms);
    next = put_number(next, given->records);
    next = put_number(next, given->plain_flagged);
    next = put_number(next, given->plain);
    next = put_number(next, given->tolerated);
    next = put_number(next, given->false_alarms);
    next = put_detections(next, &given->all);
    *next++ = given->changed;
    *next++ = (uint8_t)given->kinds_count;
    for (uint32_t index = 0; index < given->kinds_count; index++) {
        next = put_text(next, &given->kinds[index].name);
        next = put_detections(next, &given->kinds[index].detections);
    }
    return (size_t)(next - output);
}

bool mr_evaluation_group_decode(void *group, uint32_t version, struct mr_slice stored)
{
    struct mr_evaluation_group *read = group;
    struct mr_reader reader = mr_reader_from(stored);
    *read = (struct mr_evaluation_group){0};
    read->start_ms = (int64_t)mr_read_u64(&reader);
    read->end_ms = (int64_t)mr_read_u64(&reader);
    read->first_ms = (int64_t)mr_read_u64(&reader);
    read->last_ms = (int64_t)mr_read_u64(&reader);
    read->records = mr_read_u64(&reader);
    read->plain_flagged = mr_read_u64(&reader);
    read->plain = mr_read_u64(&reader);
    read->tolerated = mr_read_u64(&reader);
    read->false_alarms = mr_read_u64(&reader);
    read_detections(&reader, &read->all);
    uint8_t changed = mr_read_u8(&reader);
    read->changed = changed == 1;
    read->kinds_count = mr_read_u8(&reader);
    if (version != MR_EVALUATION_VERSION || changed > 1 ||
        read->kinds_count > MR_EVALUATION_KINDS_MAX)
        return false;
    for (uint32_t index = 0; index < read->kinds_count; index++) {
        read_text(&reader, MR_EVALUATION_KIND_MAX, &read->kinds[index].name);
        read_detections(&reader, &read->kinds[index].detections);
    }
    return !reader.bad && reader.cursor == reader.end;
}
