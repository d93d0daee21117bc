/* cli/fit.c — `millrace fit`: a model document from a live topic or a file. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/fit_read.h"
#include "cli/fit_topology.h"
#include "cli/model_observed.h"
#include "cli/output_file.h"
#include "cli/text.h"
#include "operators/sample_model.h"
#include "operators/sample_model_copula.h"

enum {
    ROWS_MAX_DEFAULT = 100000,
    ROWS_MIN_DEFAULT = 500,
    TIMEOUT_DEFAULT_MS = 60000,
    TOPOLOGY_BYTES_MAX = 1 << 18
};

struct fit {
    const struct mr_arguments *arguments;
    struct mr_arena arena;
    struct mr_fit_learner learner;
    struct mr_fit_reading reading;
    struct mr_buffer document;
    struct mr_buffer topology_text;
    const char *from; /* the topic or the file */
    struct mr_output_file out;
    struct mr_output_file topology; /* without a path: none is asked for */
};

static const char *text_flag(const struct fit *fit, const char *name)
{
    return mr_arguments_flag(fit->arguments, name)->text;
}

static int64_t number_flag(const struct fit *fit, const char *name, int64_t otherwise)
{
    return mr_arguments_given(fit->arguments, name)
               ? mr_arguments_flag(fit->arguments, name)->integer
               : otherwise;
}

static enum mr_exit say(const struct mr_error *error, enum mr_exit code)
{
    (void)fputs("millrace: ", stderr);
    mr_text_write(stderr, mr_slice_text(error->message));
    (void)fputc('\n', stderr);
    return code;
}

/* ---- The summary ---- */

static double null_rate(const struct fit *fit, uint32_t column)
{
    return (double)fit->learner.columns[column].missing / (double)fit->learner.rows_count;
}

static void print_json(const struct fit *fit)
{
    const struct mr_fit_learner *learner = &fit->learner;
    json_t *fields = json_array();
    for (uint32_t at = 0; at < learner->columns_count; at++)
        json_array_append_new(
            fields, json_pack("{s:s, s:s, s:f}", "name", learner->columns[at].name, "kind",
                              mr_sample_copula_kind_name(learner->columns[at].kind), "null_rate",
                              null_rate(fit, at)));
    json_t *root =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:o}", "from", fit->from, "out", fit->out.path, "rows",
                  (json_int_t)learner->rows_count, "left_out", (json_int_t)fit->reading.left_out,
                  "timed_out", fit->reading.timed_out, "fields", fields);
    mr_model_observed_json(root, &learner->observed);
    (void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    (void)putchar('\n');
    json_decref(root);
}

static void print_text(struct fit *fit)
{
    const struct mr_fit_learner *learner = &fit->learner;
    printf("%s: %" PRIu64 " records of %s", fit->out.path, learner->rows_count, fit->from);
    if (fit->reading.left_out > 0)
        printf("; %" PRIu64 " were no JSON objects and left out", fit->reading.left_out);
    puts(fit->reading.timed_out ? "; the timeout ended the reading" : "");
    for (uint32_t at = 0; at < learner->columns_count; at++)
        printf("  %s: %s, %.1f %% missing\n",
               mr_text_escape(&fit->arena, mr_slice_text(learner->columns[at].name)),
               mr_sample_copula_kind_name(learner->columns[at].kind), 100 * null_rate(fit, at));
    mr_model_observed_print(&fit->arena, &learner->observed);
    if (!learner->observed.has_arrival)
        puts("arrival: not known without times (--timestamp)");
}

/* ---- Writing ---- */

/* The last part of a path without what follows its first point. */
static const char *name_of(struct fit *fit)
{
    const char *slash = text_flag(fit, "topic") == NULL ? strrchr(fit->from, '/') : NULL;
    const char *base = slash == NULL ? fit->from : slash + 1;
    const char *point = text_flag(fit, "topic") == NULL ? strrchr(base, '.') : NULL;
    return mr_arena_copy_bytes_text(
        &fit->arena, base, point == NULL || point == base ? strlen(base) : (size_t)(point - base));
}

static enum mr_exit refuse_few(struct fit *fit)
{
    bool is_topic = text_flag(fit, "topic") != NULL;
    (void)fprintf(stderr,
                  "millrace: %s%s gave %s, and a model is fitted to %" PRIu64
                  " at least: %s, or say --min-records\n",
                  fit->from, fit->reading.timed_out ? ", until the timeout ended," : "",
                  mr_text_plural(&fit->arena, (int64_t)fit->learner.rows_count,
                                 fit->reading.left_out > 0 ? "JSON object" : "record"),
                  fit->reading.rows_min, is_topic ? "wait for more (--timeout)" : "add more");
    return MR_EXIT_WRONG;
}

/* What is written can be read: a model that draws nothing is no use to anybody. */
static enum mr_status make_documents(struct fit *fit, struct mr_error *error)
{
    struct mr_sample_model *model = NULL;
    const char *name = name_of(fit);
    enum mr_status status = mr_fit_learner_finish(&fit->learner, name, &fit->document, error);
    if (status == MR_OK)
        status = mr_sample_model_read(mr_buffer_view(&fit->document), &model, error);
    mr_sample_model_destroy(model);
    if (status != MR_OK || fit->topology.path == NULL)
        return status;
    status = mr_fit_topology_write(&(struct mr_fit_topology){.name = name,
                                                             .from = fit->from,
                                                             .model = fit->out.path,
                                                             .topic = text_flag(fit, "topic"),
                                                             .partitions = fit->reading.partitions,
                                                             .observed = &fit->learner.observed},
                                   &fit->topology_text);
    return status == MR_OK ? MR_OK
                           : MR_FAIL(error, status, MR_RECOVERY_NONE,
                                     "the topology exceeds %d bytes", TOPOLOGY_BYTES_MAX);
}

static enum mr_exit finish(struct fit *fit)
{
    struct mr_error error;
    if (fit->learner.rows_count < fit->reading.rows_min)
        return refuse_few(fit);
    if (make_documents(fit, &error) != MR_OK)
        return say(&error, MR_EXIT_WRONG);
    enum mr_exit code = mr_output_file_finish(&fit->out, mr_buffer_view(&fit->document));
    if (code == MR_EXIT_FINE && fit->topology.path != NULL)
        code = mr_output_file_finish(&fit->topology, mr_buffer_view(&fit->topology_text));
    if (code == MR_EXIT_FINE && number_flag(fit, "output", MR_OUTPUT_TEXT) == MR_OUTPUT_JSON)
        print_json(fit);
    else if (code == MR_EXIT_FINE)
        print_text(fit);
    return code;
}

/* ---- The command ---- */

static enum mr_exit check_flags(struct fit *fit, enum mr_fit_format *format)
{
    const char *topic = text_flag(fit, "topic");
    const char *file = text_flag(fit, "file");
    const char *wrong = NULL;
    fit->from = topic != NULL ? topic : file;
    if ((topic == NULL) == (file == NULL))
        wrong = "give --topic or --file: one of them holds the records";
    else if (text_flag(fit, "out") == NULL)
        wrong = "--out is missing: say into which file";
    else if (number_flag(fit, "min-records", ROWS_MIN_DEFAULT) >
             number_flag(fit, "max-records", ROWS_MAX_DEFAULT))
        wrong = "--min-records is more than --max-records";
    if (wrong == NULL) {
        size_t size = strlen(fit->from);
        bool is_named = topic == NULL && size > 4 && strcmp(fit->from + size - 4, ".csv") == 0;
        *format =
            (enum mr_fit_format)number_flag(fit, "format", is_named ? MR_FIT_CSV : MR_FIT_JSON);
        if (*format == MR_FIT_CSV && topic != NULL)
            wrong = "the records of a topic are read as JSON: --format csv is for files";
        else if (*format == MR_FIT_CSV && strcmp(file, "-") == 0)
            wrong = "CSV is read from a file, not from standard input";
    }
    if (wrong == NULL)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s; see `millrace help fit`\n", wrong);
    return MR_EXIT_USAGE;
}

static enum mr_exit fit_model(struct fit *fit, enum mr_fit_format format)
{
    struct mr_error error;
    struct mr_fit_settings settings = {.fields = text_flag(fit, "fields"),
                                       .key = text_flag(fit, "key"),
                                       .timestamp = text_flag(fit, "timestamp"),
                                       .is_csv = format == MR_FIT_CSV,
                                       .is_static = mr_arguments_given(fit->arguments, "static")};
    fit->reading = (struct mr_fit_reading){
        .arguments = fit->arguments,
        .learner = &fit->learner,
        .rows_min = (uint64_t)number_flag(fit, "min-records", ROWS_MIN_DEFAULT),
        .rows_max = (uint64_t)number_flag(fit, "max-records", ROWS_MAX_DEFAULT),
        .timeout_ms = number_flag(fit, "timeout", TIMEOUT_DEFAULT_MS)};
    const char *topology = text_flag(fit, "topology");
    enum mr_exit code = mr_output_file_open(&fit->out, text_flag(fit, "out"), false, &fit->arena);
    if (code == MR_EXIT_FINE && topology != NULL)
        code = mr_output_file_open(&fit->topology, topology, false, &fit->arena);
    if (code != MR_EXIT_FINE)
        return code;
    if (mr_fit_learner_open(&fit->learner, &settings, &error) != MR_OK)
        code = say(&error, MR_EXIT_USAGE);
    else if (text_flag(fit, "topic") != NULL)
        code = mr_fit_read_topic(&fit->reading, fit->from);
    else
        code = mr_fit_read_file(&fit->reading, fit->from, format);
    if (code == MR_EXIT_FINE)
        code = finish(fit);
    mr_fit_learner_close(&fit->learner);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct fit *fit = mr_memory_new(1, sizeof(*fit));
    enum mr_fit_format format;
    fit->arguments = arguments;
    mr_arena_init(&fit->arena, 1 << 14);
    mr_buffer_init(&fit->document, MR_SAMPLE_DOCUMENT_BYTES_MAX);
    mr_buffer_init(&fit->topology_text, TOPOLOGY_BYTES_MAX);
    enum mr_exit code = check_flags(fit, &format);
    if (code == MR_EXIT_FINE)
        code = fit_model(fit, format);
    mr_output_file_abandon(&fit->out);
    mr_output_file_abandon(&fit->topology);
    mr_buffer_deinit(&fit->document);
    mr_buffer_deinit(&fit->topology_text);
    mr_arena_deinit(&fit->arena);
    mr_memory_free(fit);
    return code;
}

static const char *const formats[] = {"json", "csv", NULL};

static const struct mr_flag flags[] = {
    {.name = "topic",
     .kind = MR_FLAG_TEXT,
     .value = "TOPIC",
     .help = "Fit to a topic's committed records, from its beginning (--brokers)."},
    {.name = "file", .kind = MR_FLAG_TEXT, .value = "FILE", .help = "Fit to a file's records."},
    {.name = "format",
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = formats,
     .help = "The file holds `json`, an object a line, or `csv` (default of *.csv)."},
    {.name = "fields",
     .kind = MR_FLAG_TEXT,
     .value = "LIST",
     .help = "Fields of the model: a,b.c (default: texts, numbers, booleans of the top level)."},
    {.name = "key",
     .kind = MR_FLAG_TEXT,
     .value = "FIELD",
     .help = "The field of the keys: how many there are, and how skewed."},
    {.name = "timestamp",
     .kind = MR_FLAG_TEXT,
     .value = "FIELD",
     .help = "The event time, RFC 3339 or ms since 1970 (default: Kafka's, of a topic)."},
    {.name = "max-records",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 1000000,
     .help = "How many records to read at most (default 100000)."},
    {.name = "min-records",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 1000000,
     .help = "Fewer records are an error (default 500)."},
    {.name = "timeout",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = 1,
     .maximum = 86400000,
     .help = "How long to read a topic, and wait for enough records (default 60s)."},
    {.name = "static",
     .kind = MR_FLAG_SWITCH,
     .help = "Numbers as they are over the whole time: look for neither trend nor season."},
    {.name = "out", .kind = MR_FLAG_TEXT, .value = "FILE", .help = "Where the model is written."},
    {.name = "topology",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Also write a topology that makes such a stream: its rows, at its rate."},
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    MR_FLAG_OUTPUT,
    {.name = NULL}};

const struct mr_command mr_command_fit = {
    .name = "fit",
    .operands = "",
    .operands_min = 0,
    .operands_max = 0,
    .summary = "Fit a model to the records of a topic or a file.",
    .description =
        "The model makes records like those: `millrace generate model.yaml`, and sources of the "
        "type generate.copula. It holds\ndistributions, correlations and null rates; the arrival "
        "process, trend and seasons of numbers (with --timestamp), and\nthe skew of keys (with "
        "--key). --topology writes a topology that makes such a stream.\n"
        "  millrace fit --topic orders --key customer --timestamp at --out orders.yaml\n"
        "  millrace fit --file people.csv --timestamp since --out people.yaml --topology like.yaml",
    .flags = flags,
    .run = run};
