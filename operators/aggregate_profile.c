/* operators/aggregate_profile.c — see aggregate_profile.h.
 * Design: a field's head is its number of records alone; its body has the counters in piece 0 and
 * the sketches' bodies behind each other, so that many fields fit a cell. Sketches have their heads
 * in piece 0 too. Only pieces that are touched are stored.
 * Piece 0 (this machine's order): u64 missing, null, valid, invalid, ruled; u64 counts of the types
 * [10]; u64 numbers, of them learned; double min, max, mean, squares; the heads of cardinality
 * (128), quantile (160), frequent (16). */
#include "operators/aggregate_profile.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/sketch_cardinality.h"
#include "base/sketch_frequent.h"
#include "base/sketch_quantile.h"
#include "base/utf8.h"
#include "operators/aggregate_cell.h"

enum { COUNTERS_PER_VALUE = 10, CELL_BYTES = MR_AGGREGATE_CELL_HEAD_BYTES + MR_PROFILE_TEXT_BYTES };

enum profile_type {
    TYPE_BOOL,
    TYPE_INT,
    TYPE_DOUBLE,
    TYPE_STRING,
    TYPE_BYTES,
    TYPE_TIMESTAMP,
    TYPE_DURATION,
    TYPE_LIST,
    TYPE_OBJECT,
    TYPE_UNUSABLE,
    TYPES_COUNT
};

static const char *const type_names[TYPES_COUNT] = {"bool",   "int",       "double",   "string",
                                                    "bytes",  "timestamp", "duration", "list",
                                                    "object", "unusable"};

struct profile_counts {
    uint64_t missing;
    uint64_t null;
    uint64_t valid;
    uint64_t invalid;
    uint64_t ruled; /* present while there was a rule */
    uint64_t types[TYPES_COUNT];
    uint64_t numbers;
    uint64_t learned; /* numbers in mean and squares */
    double minimum;
    double maximum;
    double mean;
    double squares;
    uint8_t cardinality[MR_SKETCH_CARDINALITY_HEAD_BYTES];
    uint8_t quantile[MR_SKETCH_QUANTILE_HEAD_BYTES];
    uint8_t frequent[MR_SKETCH_FREQUENT_HEAD_BYTES];
};

/* The sketches of a body, and where they begin. */
struct profile_sketches {
    struct mr_sketch cardinality;
    struct mr_sketch quantile;
    struct mr_sketch frequent;
    struct mr_sketch_part cardinality_body;
    struct mr_sketch_part quantile_body;
    struct mr_sketch_part frequent_body;
    uint32_t pieces;
};

static void describe_sketches(const struct mr_aggregate *aggregate,
                              struct profile_sketches *sketches)
{
    uint32_t piece_bytes = aggregate->piece_bytes;
    const double *parameters = aggregate->call->parameters;
    sketches->cardinality = mr_sketch_cardinality((uint32_t)parameters[1], piece_bytes);
    sketches->quantile = mr_sketch_quantile(piece_bytes);
    sketches->frequent =
        mr_sketch_frequent((uint32_t)parameters[0] * COUNTERS_PER_VALUE, CELL_BYTES, piece_bytes);
    sketches->pieces = 1 + sketches->cardinality.pieces_max + sketches->frequent.pieces_max +
                       sketches->quantile.pieces_max;
}

static void open_sketches(const struct mr_aggregate *aggregate, struct mr_sketch_body *body,
                          struct profile_sketches *sketches)
{
    describe_sketches(aggregate, sketches);
    uint32_t first = 1;
    mr_sketch_part_init(&sketches->cardinality_body, body, first);
    first += sketches->cardinality.pieces_max;
    mr_sketch_part_init(&sketches->frequent_body, body, first);
    first += sketches->frequent.pieces_max;
    mr_sketch_part_init(&sketches->quantile_body, body, first);
}

static enum mr_status profile_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    struct profile_sketches sketches;
    MR_ASSERT(aggregate->piece_bytes >= sizeof(struct profile_counts));
    describe_sketches(aggregate, &sketches);
    aggregate->pieces_max = sketches.pieces;
    return MR_OK;
}

static enum mr_status read_counts(struct mr_sketch_body *body, struct profile_counts *counts,
                                  struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, 0, false, &bytes, error);
    if (status == MR_OK)
        memcpy(counts, bytes, sizeof(*counts));
    return status;
}

static enum mr_status write_counts(struct mr_sketch_body *body, const struct profile_counts *counts,
                                   struct mr_error *error)
{
    uint8_t *bytes;
    enum mr_status status = body->piece(body, 0, true, &bytes, error);
    if (status == MR_OK)
        memcpy(bytes, counts, sizeof(*counts));
    return status;
}

/* ---- Values ---- */

/* Of JSON text that was not taken apart. */
static enum profile_type type_of_text(const struct mr_value *value)
{
    return value->size > 0 && value->text[0] == '{'   ? TYPE_OBJECT
           : value->size > 0 && value->text[0] == '[' ? TYPE_LIST
                                                      : TYPE_UNUSABLE;
}

static enum profile_type type_of(const struct mr_value *value)
{
    static const uint8_t types[MR_KIND_COUNT] = {
        [MR_KIND_ABSENT] = TYPE_UNUSABLE,
        [MR_KIND_REMOVED] = TYPE_UNUSABLE,
        [MR_KIND_ERROR] = TYPE_UNUSABLE,
        [MR_KIND_NULL] = TYPE_UNUSABLE,
        [MR_KIND_BOOL] = TYPE_BOOL,
        [MR_KIND_INT] = TYPE_INT,
        [MR_KIND_UINT] = TYPE_INT,
        [MR_KIND_DOUBLE] = TYPE_DOUBLE,
        [MR_KIND_STRING] = TYPE_STRING,
        [MR_KIND_BYTES] = TYPE_BYTES,
        [MR_KIND_TIMESTAMP] = TYPE_TIMESTAMP,
        [MR_KIND_DURATION] = TYPE_DURATION,
        [MR_KIND_LIST] = TYPE_LIST,
        [MR_KIND_MAP] = TYPE_OBJECT,
        [MR_KIND_TYPE] = TYPE_UNUSABLE,
    };
    if (value->kind == MR_KIND_JSON)
        return type_of_text(value);
    if (value->kind == MR_KIND_DOUBLE && !isfinite(value->number))
        return TYPE_UNUSABLE;
    return (enum profile_type)types[value->kind];
}

static void learn_number(struct profile_counts *counts, double number)
{
    number += 0.0; /* no -0.0 */
    counts->minimum = counts->numbers == 0 ? number : fmin(counts->minimum, number);
    counts->maximum = counts->numbers == 0 ? number : fmax(counts->maximum, number);
    counts->numbers++;
    if (fabs(number) > MR_PROFILE_NUMBER_MAX)
        return;
    counts->learned++;
    double deviation = number - counts->mean;
    counts->mean += deviation / (double)counts->learned;
    counts->squares += deviation * (number - counts->mean);
}

static void judge(struct profile_counts *counts, enum profile_type type,
                  const struct mr_value *verdict)
{
    if (type == TYPE_UNUSABLE)
        counts->invalid++;
    else if (verdict->kind != MR_KIND_ABSENT)
        *(verdict->kind == MR_KIND_BOOL && verdict->boolean ? &counts->valid : &counts->invalid) +=
            1;
    counts->ruled += verdict->kind != MR_KIND_ABSENT || type == TYPE_UNUSABLE;
}

/* Take a scalar into the sketches. */
static enum mr_status sketch_value(struct profile_sketches *sketches, struct profile_counts *counts,
                                   const struct mr_value *value, struct mr_error *error)
{
    uint64_t hash = mr_aggregate_hash(value);
    struct mr_value kept = *value;
    uint8_t *cell;
    enum mr_status status = mr_sketch_cardinality_add(
        &sketches->cardinality, counts->cardinality, &sketches->cardinality_body.body, hash, error);
    if (status == MR_OK)
        status = mr_sketch_frequent_add(&sketches->frequent, counts->frequent,
                                        &sketches->frequent_body.body, hash, &cell, error);
    if (status != MR_OK || cell == NULL)
        return status;
    if (kept.kind == MR_KIND_STRING && kept.size > MR_PROFILE_TEXT_BYTES)
        kept.size = (uint32_t)mr_utf8_cut(mr_value_text(kept), MR_PROFILE_TEXT_BYTES);
    else if (kept.kind == MR_KIND_BYTES && kept.size > MR_PROFILE_TEXT_BYTES)
        kept.size = MR_PROFILE_TEXT_BYTES;
    mr_aggregate_cell_put(cell, CELL_BYTES, &kept);
    return MR_OK;
}

static enum mr_status take_value(struct profile_sketches *sketches, struct profile_counts *counts,
                                 const struct mr_value *value, const struct mr_value *verdict,
                                 struct mr_error *error)
{
    if (value->kind == MR_KIND_ABSENT || value->kind == MR_KIND_REMOVED) {
        counts->missing++;
        return MR_OK;
    }
    if (value->kind == MR_KIND_NULL) {
        counts->null++;
        return MR_OK;
    }
    enum profile_type type = type_of(value);
    counts->types[type]++;
    judge(counts, type, verdict);
    if (type >= TYPE_LIST)
        return MR_OK;
    double number;
    enum mr_status status = MR_OK;
    if (mr_value_as_double(*value, &number)) {
        learn_number(counts, number);
        status = mr_sketch_quantile_add(&sketches->quantile, counts->quantile,
                                        &sketches->quantile_body.body, number, error);
    }
    return status == MR_OK ? sketch_value(sketches, counts, value, error) : status;
}

/* ---- The function of a field ---- */

static enum mr_status profile_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                    struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                    struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(head);
    MR_UNUSED(body);
    MR_UNUSED(row);
    MR_UNUSED(error);
    return MR_OK;
}

static void add_records(uint8_t *head, uint64_t records)
{
    uint64_t count;
    memcpy(&count, head, sizeof(count));
    count += records;
    memcpy(head, &count, sizeof(count));
}

static enum mr_status profile_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error)
{
    struct profile_sketches sketches;
    struct profile_counts counts;
    open_sketches(aggregate, body, &sketches);
    enum mr_status status = read_counts(body, &counts, error);
    if (status == MR_OK)
        status = take_value(&sketches, &counts, &row->arguments[0], &row->arguments[1], error);
    if (status == MR_OK)
        status = write_counts(body, &counts, error);
    if (status == MR_OK)
        add_records(head, 1);
    return status;
}

/* As of Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm (1979). */
static void merge_moments(struct profile_counts *counts, const struct profile_counts *other)
{
    if (other->numbers > 0) {
        counts->minimum =
            counts->numbers == 0 ? other->minimum : fmin(counts->minimum, other->minimum);
        counts->maximum =
            counts->numbers == 0 ? other->maximum : fmax(counts->maximum, other->maximum);
    }
    counts->numbers += other->numbers;
    if (other->learned == 0)
        return;
    double left = (double)counts->learned;
    double right = (double)other->learned;
    double deviation = other->mean - counts->mean;
    counts->learned += other->learned;
    counts->mean += deviation * (right / (double)counts->learned);
    counts->squares +=
        other->squares + deviation * deviation * (left * right / (double)counts->learned);
}

static void merge_counts(struct profile_counts *counts, const struct profile_counts *other)
{
    counts->missing += other->missing;
    counts->null += other->null;
    counts->valid += other->valid;
    counts->invalid += other->invalid;
    counts->ruled += other->ruled;
    for (uint32_t type = 0; type < TYPES_COUNT; type++)
        counts->types[type] += other->types[type];
    merge_moments(counts, other);
}

static enum mr_status profile_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                    struct mr_sketch_body *body, const uint8_t *other_head,
                                    struct mr_sketch_body *other_body, struct mr_error *error)
{
    struct profile_sketches own;
    struct profile_sketches others;
    struct profile_counts counts;
    struct profile_counts other;
    uint64_t records;
    open_sketches(aggregate, body, &own);
    open_sketches(aggregate, other_body, &others);
    enum mr_status status = read_counts(body, &counts, error);
    if (status == MR_OK)
        status = read_counts(other_body, &other, error);
    if (status != MR_OK)
        return status;
    merge_counts(&counts, &other);
    status = mr_sketch_cardinality_merge(&own.cardinality, counts.cardinality,
                                         &own.cardinality_body.body, other.cardinality,
                                         &others.cardinality_body.body, error);
    if (status == MR_OK)
        status = mr_sketch_quantile_merge(&own.quantile, counts.quantile, &own.quantile_body.body,
                                          other.quantile, &others.quantile_body.body, error);
    if (status == MR_OK)
        status = mr_sketch_frequent_merge(&own.frequent, counts.frequent, &own.frequent_body.body,
                                          other.frequent, &others.frequent_body.body, error);
    if (status == MR_OK)
        status = write_counts(body, &counts, error);
    memcpy(&records, other_head, sizeof(records));
    if (status == MR_OK)
        add_records(head, records);
    return status;
}

/* ---- Its result ---- */

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static struct mr_value share_of(uint64_t part, uint64_t whole)
{
    return whole == 0 ? mr_value_null() : mr_value_double((double)part / (double)whole);
}

/* The types that there were, with their counts. */
static struct mr_value types_of(const struct profile_counts *counts, struct mr_arena *arena)
{
    struct mr_map_entry *entries = mr_arena_new(arena, TYPES_COUNT, sizeof(*entries));
    uint32_t size = 0;
    for (uint32_t type = 0; type < TYPES_COUNT; type++)
        if (counts->types[type] > 0)
            entries[size++] = (struct mr_map_entry){static_text(type_names[type]),
                                                    mr_value_int((int64_t)counts->types[type])};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = size, .entries = entries};
}

static enum mr_status quantiles_of(const struct profile_counts *counts,
                                   struct profile_sketches *sketches, struct mr_arena *arena,
                                   struct mr_value *quantiles, struct mr_error *error)
{
    static const struct {
        const char *name;
        double share;
    } wanted[] = {{"p1", 0.01},  {"p5", 0.05},  {"p25", 0.25}, {"p50", 0.5},
                  {"p75", 0.75}, {"p95", 0.95}, {"p99", 0.99}};
    const uint32_t size = MR_ARRAY_COUNT(wanted);
    *quantiles = mr_value_null();
    if (counts->numbers == 0)
        return MR_OK;
    struct mr_map_entry *entries = mr_arena_new(arena, size, sizeof(*entries));
    for (uint32_t index = 0; index < size; index++) {
        double number;
        enum mr_status status = mr_sketch_quantile_of_share(
            counts->quantile, &sketches->quantile_body.body, wanted[index].share, &number, error);
        if (status != MR_OK)
            return status;
        entries[index] =
            (struct mr_map_entry){static_text(wanted[index].name), mr_value_double(number)};
    }
    *quantiles = (struct mr_value){.kind = MR_KIND_MAP, .size = size, .entries = entries};
    return MR_OK;
}

static void number_values(const struct profile_counts *counts,
                          struct mr_value values[MR_PROFILE_MEMBERS_COUNT])
{
    for (uint32_t member = MR_PROFILE_MIN; member <= MR_PROFILE_STDDEV; member++)
        values[member] = mr_value_null();
    if (counts->numbers > 0) {
        values[MR_PROFILE_MIN] = mr_value_double(counts->minimum);
        values[MR_PROFILE_MAX] = mr_value_double(counts->maximum);
    }
    if (counts->learned > 0)
        values[MR_PROFILE_MEAN] = mr_value_double(counts->mean);
    if (counts->learned > 1)
        values[MR_PROFILE_STDDEV] =
            mr_value_double(sqrt(counts->squares / (double)(counts->learned - 1)));
}

static void count_values(const struct profile_counts *counts, uint64_t records, uint64_t distinct,
                         struct mr_value values[MR_PROFILE_MEMBERS_COUNT])
{
    uint64_t present = records - counts->missing - counts->null;
    uint64_t scalars = 0;
    for (uint32_t type = 0; type < TYPE_LIST; type++)
        scalars += counts->types[type];
    if (distinct > scalars)
        distinct = scalars;
    values[MR_PROFILE_COUNT] = mr_value_int((int64_t)records);
    values[MR_PROFILE_PRESENT] = mr_value_int((int64_t)present);
    values[MR_PROFILE_MISSING] = mr_value_int((int64_t)counts->missing);
    values[MR_PROFILE_NULL] = mr_value_int((int64_t)counts->null);
    values[MR_PROFILE_COMPLETENESS] = share_of(present, records);
    values[MR_PROFILE_DISTINCT] = mr_value_int((int64_t)distinct);
    values[MR_PROFILE_UNIQUENESS] = share_of(distinct, scalars);
    values[MR_PROFILE_VALID] = mr_value_int((int64_t)counts->valid);
    values[MR_PROFILE_INVALID] = mr_value_int((int64_t)counts->invalid);
    values[MR_PROFILE_VALIDITY] = share_of(counts->valid, counts->ruled);
}

static enum mr_status profile_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_span *span, struct mr_arena *arena,
                                     struct mr_value *result, struct mr_error *error)
{
    static const char *const names[MR_PROFILE_MEMBERS_COUNT] = {
        "count",    "present",    "missing", "null",      "completeness", "types",
        "distinct", "uniqueness", "valid",   "invalid",   "validity",     "min",
        "max",      "mean",       "stddev",  "quantiles", "frequent"};
    MR_UNUSED(span);
    struct mr_value values[MR_PROFILE_MEMBERS_COUNT];
    struct profile_sketches sketches;
    struct profile_counts counts;
    uint64_t records;
    int64_t distinct = 0;
    memcpy(&records, head, sizeof(records));
    open_sketches(aggregate, body, &sketches);
    enum mr_status status = read_counts(body, &counts, error);
    if (status == MR_OK)
        status = mr_sketch_cardinality_estimate(&sketches.cardinality, counts.cardinality,
                                                &sketches.cardinality_body.body, &distinct, error);
    if (status == MR_OK)
        status = quantiles_of(&counts, &sketches, arena, &values[MR_PROFILE_QUANTILES], error);
    if (status == MR_OK)
        status = mr_aggregate_frequent_list(
            &sketches.frequent, counts.frequent, &sketches.frequent_body.body,
            (uint32_t)aggregate->call->parameters[0], arena, &values[MR_PROFILE_FREQUENT], error);
    if (status != MR_OK)
        return status;
    count_values(&counts, records, (uint64_t)distinct, values);
    number_values(&counts, values);
    values[MR_PROFILE_TYPES] = types_of(&counts, arena);
    struct mr_map_entry *entries = mr_arena_new(arena, MR_PROFILE_MEMBERS_COUNT, sizeof(*entries));
    for (uint32_t member = 0; member < MR_PROFILE_MEMBERS_COUNT; member++)
        entries[member] = (struct mr_map_entry){static_text(names[member]), values[member]};
    *result = (struct mr_value){
        .kind = MR_KIND_MAP, .size = MR_PROFILE_MEMBERS_COUNT, .entries = entries};
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_profile = {
    .spec = {.name = "profile",
             .help = "What quality.profile says of a field.",
             .arguments = {MR_AGGREGATE_ANY, MR_AGGREGATE_ANY},
             .argument_names = {"value", "verdict"},
             .arguments_min = 2,
             .arguments_max = 2,
             .result = MR_TYPE_ANY},
    .head_bytes = sizeof(uint64_t),
    .prepare = profile_prepare,
    .check = profile_check,
    .add = profile_add,
    .merge = profile_merge,
    .result = profile_result};

/* ---- The records ---- */

struct records_head {
    uint64_t records;
    uint64_t fresh;
    int64_t delay_min;
    int64_t delay_max;
    double delay_sum;
    int64_t latest_ms; /* highest event time */
};

_Static_assert(sizeof(struct records_head) == 48, "the head has no padding");

static void join_records(struct records_head *records, const struct records_head *other)
{
    if (other->records == 0)
        return;
    bool is_first = records->records == 0;
    if (is_first || other->delay_min < records->delay_min)
        records->delay_min = other->delay_min;
    if (is_first || other->delay_max > records->delay_max)
        records->delay_max = other->delay_max;
    if (is_first || other->latest_ms > records->latest_ms)
        records->latest_ms = other->latest_ms;
    records->records += other->records;
    records->fresh += other->fresh;
    records->delay_sum += other->delay_sum;
}

static enum mr_status records_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                    struct mr_sketch_body *body, const uint8_t *other_head,
                                    struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    struct records_head records;
    struct records_head other;
    memcpy(&records, head, sizeof(records));
    memcpy(&other, other_head, sizeof(other));
    join_records(&records, &other);
    memcpy(head, &records, sizeof(records));
    return MR_OK;
}

static enum mr_status records_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error)
{
    int64_t delay_ms = row->arguments[0].integer;
    const struct records_head one = {.records = 1,
                                     .fresh = (double)delay_ms <= aggregate->call->parameters[0],
                                     .delay_min = delay_ms,
                                     .delay_max = delay_ms,
                                     .delay_sum = (double)delay_ms,
                                     .latest_ms = row->event_time_ms};
    return records_merge(aggregate, head, body, (const uint8_t *)&one, NULL, error);
}

static enum mr_status records_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_span *span, struct mr_arena *arena,
                                     struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(error);
    struct records_head records;
    memcpy(&records, head, sizeof(records));
    struct mr_value *items = mr_arena_new(arena, MR_PROFILE_RECORD_VALUES, sizeof(*items));
    double mean = records.records == 0 ? 0 : records.delay_sum / (double)records.records;
    items[MR_PROFILE_RECORDS] = mr_value_int((int64_t)records.records);
    items[MR_PROFILE_FRESH] = mr_value_int((int64_t)records.fresh);
    items[MR_PROFILE_DELAY_MIN] = mr_value_int(records.delay_min);
    items[MR_PROFILE_DELAY_MEAN] = mr_value_double(mean);
    items[MR_PROFILE_DELAY_MAX] = mr_value_int(records.delay_max);
    items[MR_PROFILE_LATEST] = mr_value_int(records.latest_ms);
    *result =
        (struct mr_value){.kind = MR_KIND_LIST, .size = MR_PROFILE_RECORD_VALUES, .items = items};
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_profile_records = {
    .spec = {.name = "profile_records",
             .help = "What quality.profile says of a window's records.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"delay"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_ANY},
    .head_bytes = sizeof(struct records_head),
    .add = records_add,
    .merge = records_merge,
    .result = records_result};
