/* operators/series_anomaly.c — see series_anomaly.h. */
#include "operators/series_anomaly.h"

#include <math.h>

#include "base/assert.h"
#include "base/random.h"

const char *const mr_series_anomaly_kinds[] = {"spike",           "level_shift", "drift",
                                               "variance_change", "gap",         "duplicate",
                                               "reorder",         "stuck",       NULL};

static const char *const directions[] = {"both", "up", "down", NULL};

/* An episode takes a quarter of its slot, so that it may begin nearly anywhere. */
enum { SLOT_PER_EPISODE = 4 };

/* Stream of the seed beside the records' own. */
static const uint64_t anomaly_seed = 0x616e6f6d616c6965u;

const struct mr_option_spec mr_series_anomaly_options[] = {
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_REQUIRED,
     .choices = mr_series_anomaly_kinds,
     .help = "spike: single records are off by `size`. level_shift: `length` records are. drift: "
             "they move there step by step. variance_change: their noise is multiplied by `size`. "
             "gap: they are missing, and the record behind is labelled. duplicate: a record comes "
             "`length` times more. reorder: a record comes `length` records late. stuck: they "
             "repeat the values of the first of them."},
    {.name = "share",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1e-9,
     .maximum = 0.25,
     .help = "Share of a key's records that are part of it; of reorder: that are late."},
    {.name = "field",
     .type = MR_OPTION_STRING,
     .help = "The series whose values change. Default: all of them. Not of gap, duplicate and "
             "reorder, which are of the whole record."},
    {.name = "size",
     .type = MR_OPTION_NUMBER,
     .default_text = "8",
     .minimum = 0,
     .maximum = 1e6,
     .help =
         "How far values are off, in multiples of the series' `noise`; of variance_change: what "
         "the noise is multiplied by."},
    {.name = "length",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = MR_SERIES_EPISODE_MAX,
     .help = "Records of a key in one episode. Default: 1 for spike, duplicate and reorder, 20 for "
             "the others."},
    {.name = "direction",
     .type = MR_OPTION_CHOICE,
     .default_text = "both",
     .choices = directions,
     .help = "Whether values go up, down, or one of the two at random."},
    {.name = NULL},
};

static bool is_of_records(enum mr_series_anomaly_kind kind)
{
    return kind == MR_SERIES_GAP || kind == MR_SERIES_DUPLICATE || kind == MR_SERIES_REORDER;
}

/* Records of a slot that belong to an episode: behind a gap, and of what is late, is one more. */
static int64_t taken(const struct mr_series_anomaly *entry)
{
    bool more = entry->kind == MR_SERIES_GAP || entry->kind == MR_SERIES_REORDER;
    return entry->length + (more ? 1 : 0);
}

static bool is_choice(enum mr_series_anomaly_kind kind)
{
    return kind == MR_SERIES_GAP || kind == MR_SERIES_REORDER || kind == MR_SERIES_STUCK;
}

struct mr_series_anomaly mr_series_anomaly_of(const struct mr_options *options)
{
    struct mr_series_anomaly entry = {
        .kind = (enum mr_series_anomaly_kind)mr_options_integer(options, "kind"),
        .direction = (enum mr_series_direction)mr_options_integer(options, "direction"),
        .size = mr_options_number(options, "size")};
    double share = mr_options_number(options, "share");
    bool single = entry.kind == MR_SERIES_SPIKE || entry.kind == MR_SERIES_DUPLICATE ||
                  entry.kind == MR_SERIES_REORDER;
    entry.length = mr_options_present(options, "length") ? mr_options_integer(options, "length")
                                                         : (single ? 1 : 20);
    /* Of reorder one record of an episode is late, the others are where they belong. */
    double labelled = entry.kind == MR_SERIES_REORDER ? 1 : (double)entry.length;
    if (entry.kind == MR_SERIES_DUPLICATE) {
        entry.chance = 1;
        entry.slot = (int64_t)nearbyint(labelled / share);
    } else {
        entry.slot = taken(&entry) * SLOT_PER_EPISODE;
        entry.chance = share * (double)entry.slot / labelled;
    }
    return entry;
}

enum mr_status mr_series_anomalies_check(const struct mr_option_value *entries,
                                         struct mr_error *error)
{
    bool has_duplicates = false;
    for (uint32_t index = 0; index < entries->count; index++) {
        const struct mr_options *options = &entries->objects[index];
        struct mr_series_anomaly entry = mr_series_anomaly_of(options);
        const char *kind = mr_series_anomaly_kinds[entry.kind];
        if (is_of_records(entry.kind) && mr_options_present(options, "field"))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "anomalies of kind %s are of whole records: leave `field` out", kind);
        if (entry.kind == MR_SERIES_DUPLICATE && has_duplicates)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "only one of the anomalies can be of kind duplicate");
        has_duplicates = has_duplicates || entry.kind == MR_SERIES_DUPLICATE;
        if (entry.chance > 1)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "a `share` of %g is too much for anomalies of kind %s with `length: "
                           "%lld`: at most %.3g",
                           mr_options_number(options, "share"), kind, (long long)entry.length,
                           mr_options_number(options, "share") / entry.chance);
    }
    return MR_OK;
}

/* ---- Episodes ---- */

static void draw_episode(const struct mr_series_anomalies *anomalies, uint32_t index,
                         uint64_t series, int64_t slot, struct mr_series_episode *episode)
{
    const struct mr_series_anomaly *entry = &anomalies->entries[index];
    struct mr_random random;
    mr_random_init(&random, anomalies->seed ^ anomaly_seed,
                   (series * MR_SERIES_ANOMALIES_MAX + index) * UINT64_C(0x9e3779b97f4a7c15) ^
                       (uint64_t)slot);
    uint64_t places = (uint64_t)(entry->slot - taken(entry));
    episode->slot = slot + 1;
    episode->exists = mr_random_double(&random) < entry->chance;
    /* Never the first of a slot, so that there is one before it. */
    episode->first = slot * entry->slot + 1 + (int64_t)mr_random_below(&random, places);
    bool coin = mr_random_double(&random) < 0.5;
    episode->down = entry->direction == MR_SERIES_BOTH ? coin : entry->direction == MR_SERIES_DOWN;
}

/* Whether an episode of a choosing kind touches one of an earlier entry of such a kind. */
static bool is_crossed(const struct mr_series_anomalies *anomalies, uint32_t index, uint64_t series,
                       const struct mr_series_episode *episode)
{
    int64_t begin = episode->first - 1;
    int64_t end = episode->first + anomalies->entries[index].length;
    for (uint32_t other = 0; other < index; other++) {
        const struct mr_series_anomaly *entry = &anomalies->entries[other];
        if (!is_choice(entry->kind))
            continue;
        for (int64_t slot = begin / entry->slot; slot <= end / entry->slot; slot++) {
            struct mr_series_episode found;
            draw_episode(anomalies, other, series, slot, &found);
            if (found.exists && found.first - 1 <= end && found.first + entry->length >= begin)
                return true;
        }
    }
    return false;
}

/* The episode of the slot that a number is in. */
static const struct mr_series_episode *episode_at(const struct mr_series_anomalies *anomalies,
                                                  uint32_t index, uint64_t series, int64_t number,
                                                  struct mr_series_episode *cache)
{
    const struct mr_series_anomaly *entry = &anomalies->entries[index];
    int64_t slot = number / entry->slot;
    struct mr_series_episode *episode = &cache[index];
    if (episode->slot == slot + 1)
        return episode;
    draw_episode(anomalies, index, series, slot, episode);
    if (episode->exists && is_choice(entry->kind))
        episode->exists = !is_crossed(anomalies, index, series, episode);
    return episode;
}

/* ---- Records ---- */

static void label(struct mr_series_record *record, uint32_t entry,
                  const struct mr_series_episode *episode)
{
    if (record->entry >= 0)
        return;
    record->entry = (int32_t)entry;
    record->slot = episode->slot - 1;
}

/* Every slot before has lost `length` numbers to copies, this one those that have come. */
static void take_copies_out(const struct mr_series_anomalies *anomalies, uint64_t series,
                            int64_t number, struct mr_series_episode *cache,
                            struct mr_series_record *record)
{
    uint32_t index = anomalies->duplicates;
    record->content = number;
    if (index >= anomalies->count)
        return;
    const struct mr_series_anomaly *entry = &anomalies->entries[index];
    const struct mr_series_episode *episode = episode_at(anomalies, index, series, number, cache);
    int64_t copies = number - episode->first + 1; /* up to this one */
    if (copies > 0 && copies <= entry->length)
        label(record, index, episode);
    if (copies < 0)
        copies = 0;
    if (copies > entry->length)
        copies = entry->length;
    record->content -= (episode->slot - 1) * entry->length + copies;
}

static void choose_content(const struct mr_series_anomalies *anomalies, uint32_t index,
                           uint64_t series, int64_t number, struct mr_series_episode *cache,
                           struct mr_series_record *record)
{
    const struct mr_series_anomaly *entry = &anomalies->entries[index];
    const struct mr_series_episode *episode = episode_at(anomalies, index, series, number, cache);
    int64_t since = number - episode->first;
    if (!episode->exists || since < 0)
        return;
    switch (entry->kind) {
    case MR_SERIES_GAP:
        record->missing = record->missing || since < entry->length;
        if (since == entry->length)
            label(record, index, episode);
        break;
    case MR_SERIES_REORDER:
        if (since < entry->length)
            record->content = number + 1;
        if (since == entry->length) {
            record->content = episode->first;
            label(record, index, episode);
        }
        break;
    case MR_SERIES_STUCK:
        if (since < entry->length) {
            record->held = episode->first;
            record->held_fields = entry->fields;
            if (since > 0)
                label(record, index, episode);
        }
        break;
    case MR_SERIES_SPIKE:
    case MR_SERIES_LEVEL_SHIFT:
    case MR_SERIES_DRIFT:
    case MR_SERIES_VARIANCE_CHANGE:
    case MR_SERIES_DUPLICATE:
        break;
    }
}

void mr_series_record_at(const struct mr_series_anomalies *anomalies, uint64_t series,
                         int64_t number, struct mr_series_episode *cache,
                         struct mr_series_record *record)
{
    *record = (struct mr_series_record){.entry = -1, .held = -1};
    take_copies_out(anomalies, series, number, cache, record);
    int64_t original = record->content;
    for (uint32_t index = 0; index < anomalies->count; index++)
        if (is_choice(anomalies->entries[index].kind))
            choose_content(anomalies, index, series, original, cache, record);
    if (record->held < 0)
        record->held = record->content;
}

struct mr_series_change mr_series_change_at(const struct mr_series_anomalies *anomalies,
                                            uint64_t series, int64_t content, uint32_t field,
                                            struct mr_series_episode *cache,
                                            struct mr_series_record *record)
{
    struct mr_series_change change = {.noise = 1};
    for (uint32_t index = 0; index < anomalies->count; index++) {
        const struct mr_series_anomaly *entry = &anomalies->entries[index];
        if (is_choice(entry->kind) || entry->kind == MR_SERIES_DUPLICATE ||
            (entry->fields & (1u << field)) == 0)
            continue;
        const struct mr_series_episode *episode =
            episode_at(anomalies, index, series, content, cache);
        int64_t since = content - episode->first;
        if (!episode->exists || since < 0 || since >= entry->length)
            continue;
        label(record, index, episode);
        double size = episode->down ? -entry->size : entry->size;
        if (entry->kind == MR_SERIES_VARIANCE_CHANGE)
            change.noise *= entry->size;
        else if (entry->kind == MR_SERIES_DRIFT)
            change.shift += size * (double)(since + 1) / (double)entry->length;
        else
            change.shift += size;
    }
    return change;
}
