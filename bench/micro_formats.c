/* bench/micro_formats.c — nanoseconds per record of the formats, one thread, data in cache.
 * Usage: micro_formats [milliseconds per case]. Prints ns per record and MB/s of payload: of the
 * best batch, which is the steadiest on a shared machine, and the mean of all. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "formats/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { ROWS = 1024, RECORD_BYTES_MAX = 512, DURATION_MS = 500 };

static char records[ROWS][RECORD_BYTES_MAX];
static size_t record_sizes[ROWS];
static size_t payload_bytes;

/* The sensor records of the design's budgets; values differ, the shape is the same. */
static void make_sensor_records(bool spaced, bool varied)
{
    payload_bytes = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t mixed = i * 2654435761u;
        const char *format = spaced ? "{\"sensor\": \"s-%05u\", \"ts\": %" PRIu64
                                      ", \"value\": %u.%06u, \"ok\": %s, "
                                      "\"site\": \"plant-%u\", \"unit\": \"C\", \"seq\": %u}"
                                    : "{\"sensor\":\"s-%05u\",\"ts\":%" PRIu64
                                      ",\"value\":%u.%06u,\"ok\":%s,"
                                      "\"site\":\"plant-%u\",\"unit\":\"C\",\"seq\":%u}";
        if (varied && mixed % 2 == 0)
            format = "{\"ts\":%2$" PRIu64 ",\"sensor\":\"s-%1$05u\",\"ok\":%5$s,"
                     "\"value\":%3$u.%4$06u,\"site\":\"plant-%6$u\",\"unit\":\"C\",\"seq\":%7$u}";
            /* Formats are constants of this function. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wpedantic"
        int size = snprintf(records[i], RECORD_BYTES_MAX, format, mixed % 10000,
                            UINT64_C(1767225600000) + i, 10 + mixed % 90, mixed % 1000000,
                            mixed % 3 != 0 ? "true" : "false", mixed % 10, 100000 + i);
#pragma GCC diagnostic pop
        record_sizes[i] = (size_t)size;
        payload_bytes += (size_t)size;
    }
}

static void fill(struct mr_batch *batch, struct mr_arena *arena, struct mr_batch_shape shape)
{
    mr_arena_reset(arena);
    mr_batch_init(batch, arena, shape, ROWS);
    batch->rows_count = ROWS;
    for (uint32_t i = 0; i < ROWS; i++)
        batch->payloads[i] = mr_slice_from(records[i], record_sizes[i]);
}

/* Times of the batches of one case. */
struct timing {
    uint64_t start_ns;
    uint64_t spent_ns;
    uint64_t best_ns;
    uint64_t rounds;
};

static void timing_start(struct timing *timing)
{
    timing->start_ns = mr_clock_monotonic_ns();
}

static void timing_stop(struct timing *timing)
{
    uint64_t elapsed_ns = mr_clock_monotonic_ns() - timing->start_ns;
    timing->spent_ns += elapsed_ns;
    if (timing->rounds++ == 0 || elapsed_ns < timing->best_ns)
        timing->best_ns = elapsed_ns;
}

static void report(const char *name, const struct timing *timing, size_t batch_bytes)
{
    printf("%-34s best %7.1f ns/record %8.1f MB/s   mean %7.1f ns/record\n", name,
           (double)timing->best_ns / ROWS, (double)batch_bytes * 1e3 / (double)timing->best_ns,
           (double)timing->spent_ns / (double)timing->rounds / ROWS);
}

static struct mr_path path_of(struct mr_arena *arena, const char *text)
{
    struct mr_path path;
    struct mr_error error;
    if (mr_path_parse(arena, text, &path, &error) != MR_OK)
        fprintf(stderr, "%s\n", error.message);
    return path;
}

enum { FIELDS = 3, GROUP_SIZE = 7 };

static void bench_decode(const char *name, uint32_t fields_count, uint64_t duration_ns)
{
    static const struct mr_type any = {.code = MR_TYPE_ANY};
    static const char *const paths[FIELDS] = {"sensor", "ts", "value"};
    struct mr_arena plan;
    struct mr_arena arena;
    mr_arena_init(&plan, 4096);
    mr_arena_init(&arena, 4 << 20);
    struct mr_field_read fields[FIELDS];
    for (uint32_t i = 0; i < fields_count; i++)
        fields[i] = (struct mr_field_read){path_of(&plan, paths[i]), i, &any};
    struct mr_decoder_open open = {.fields = fields, .fields_count = fields_count};
    struct mr_error error;
    void *decoder = mr_memory_new(1, mr_format_json.decoder_size);
    if (mr_format_json.decoder_open(decoder, &open, &error) != MR_OK)
        fprintf(stderr, "%s\n", error.message);
    struct mr_batch batch;
    static struct mr_row_error errors[ROWS];
    uint32_t errors_count = 0;
    struct timing timing = {0};
    while (timing.spent_ns < duration_ns) {
        fill(&batch, &arena, (struct mr_batch_shape){.slots_count = FIELDS});
        timing_start(&timing);
        mr_format_json.decode(decoder, &batch, errors, &errors_count);
        timing_stop(&timing);
    }
    if (errors_count != 0)
        fprintf(stderr, "%u rows failed\n", errors_count);
    report(name, &timing, payload_bytes);
    mr_format_json.decoder_close(decoder);
    mr_memory_free(decoder);
    mr_arena_deinit(&arena);
    mr_arena_deinit(&plan);
}

static void fill_group(struct mr_batch *batch)
{
    for (uint32_t slot = 0; slot < GROUP_SIZE; slot++) {
        struct mr_value *column = mr_batch_column(batch, slot);
        for (uint32_t row = 0; row < ROWS; row++) {
            double number = (double)(row * 2654435761u % 1000003u) / 1000003.0;
            switch (slot) {
            case 0:
            case 1:
            case 2:
                column[row] = mr_value_double(number * (slot + 1));
                break;
            case 3:
                column[row] = mr_value_bool(row % 7 == 0);
                break;
            case 4:
                column[row] = mr_value_string(mr_slice_text("zscore"));
                break;
            case 5:
                column[row] = mr_value_string(mr_slice_text("warning"));
                break;
            default:
                column[row] = mr_value_int(row);
            }
        }
    }
}

static void bench_encode(const char *name, bool touch, uint64_t duration_ns)
{
    static const struct mr_group_member members[GROUP_SIZE] = {
        {"score", 0},    {"threshold", 1}, {"expected", 2}, {"is_anomaly", 3},
        {"detector", 4}, {"severity", 5},  {"count", 6}};
    static const struct mr_edit edit = {.name = "anomaly",
                                        .slot = MR_SLOT_NONE,
                                        .span = MR_SLOT_NONE,
                                        .raw_span = MR_SLOT_NONE,
                                        .group = members,
                                        .group_count = GROUP_SIZE};
    static const struct mr_layout layout = {.from_payload = true, .edits = &edit, .edits_count = 1};
    struct mr_encoder_open open = {.layout = &layout, .value_slot = MR_SLOT_NONE};
    struct mr_arena arena;
    struct mr_arena output;
    struct mr_error error;
    mr_arena_init(&arena, 4 << 20);
    mr_arena_init(&output, 4 << 20);
    void *encoder = mr_memory_new(1, mr_format_json.encoder_size);
    if (mr_format_json.encoder_open(encoder, &open, &error) != MR_OK)
        fprintf(stderr, "%s\n", error.message);
    struct mr_batch batch;
    fill(&batch, &arena, (struct mr_batch_shape){.slots_count = GROUP_SIZE});
    if (touch)
        fill_group(&batch);
    struct timing timing = {0};
    size_t bytes = 0;
    while (timing.spent_ns < duration_ns) {
        mr_arena_reset(&output);
        bytes = 0;
        timing_start(&timing);
        for (uint32_t row = 0; row < ROWS; row++) {
            struct mr_slice payload;
            if (mr_format_json.encode(encoder, &batch, row, &output, &payload, &error) != MR_OK)
                fprintf(stderr, "%s\n", error.message);
            bytes += payload.size;
        }
        timing_stop(&timing);
    }
    report(name, &timing, bytes);
    mr_format_json.encoder_close(encoder);
    mr_memory_free(encoder);
    mr_arena_deinit(&output);
    mr_arena_deinit(&arena);
}

static void bench_numbers(uint64_t duration_ns)
{
    static char texts[ROWS][MR_NUMBER_TEXT_SIZE];
    static size_t sizes[ROWS];
    static double values[ROWS];
    size_t bytes = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        values[i] = (double)(i * 2654435761u) / 1000003.0;
        sizes[i] = mr_number_format_double(values[i], texts[i]);
        bytes += sizes[i];
    }
    double sum = 0;
    struct timing timing = {0};
    while (timing.spent_ns < duration_ns) {
        timing_start(&timing);
        for (uint32_t i = 0; i < ROWS; i++) {
            struct mr_number number;
            const uint8_t *text = (const uint8_t *)texts[i];
            mr_number_parse(text, text + sizes[i], &number);
            sum += number.number;
        }
        timing_stop(&timing);
    }
    report("parse doubles of 16-17 digits", &timing, bytes);
    timing = (struct timing){0};
    while (timing.spent_ns < duration_ns) {
        timing_start(&timing);
        for (uint32_t i = 0; i < ROWS; i++)
            sum += (double)mr_number_format_double(values[i], texts[i]);
        timing_stop(&timing);
    }
    report("print doubles of 16-17 digits", &timing, bytes);
    if (sum == 0)
        printf("(sum %g)\n", sum); /* keeps the loops */
}

int main(int count, char **arguments)
{
    int64_t duration_ms = DURATION_MS;
    if (count > 1 && !mr_number_parse_int(mr_slice_text(arguments[1]), &duration_ms)) {
        fprintf(stderr, "usage: %s [milliseconds per case]\n", arguments[0]);
        return 2;
    }
    uint64_t duration_ns = (uint64_t)duration_ms * 1000000u;
    make_sensor_records(false, false);
    printf("sensor records of %zu bytes, %d a batch\n", payload_bytes / ROWS, ROWS);
    bench_decode("decode json, 3 fields", 3, duration_ns);
    bench_decode("decode json, validate only", 0, duration_ns);
    bench_encode("encode json, payload as it is", false, duration_ns);
    bench_encode("encode json, 7-member group", true, duration_ns);
    make_sensor_records(true, false);
    bench_decode("decode json with spaces, 3 fields", 3, duration_ns);
    make_sensor_records(false, true);
    bench_decode("decode json, two shapes, 3 fields", 3, duration_ns);
    bench_numbers(duration_ns);
    return 0;
}
