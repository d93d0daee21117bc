/* cli/generate.c — `millrace generate`: rows drawn from a model, as lines.
 * Design: CHUNK_ROWS rows are drawn and written at a time, so that any number takes the same
 * memory. Row n is a function of model, conditions, seed and n: --first goes on where another run
 * has ended. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/model_open.h"
#include "cli/text.h"
#include "operators/sample_where.h"
#include "record/json_value.h"
#include "record/scalar.h"

enum { ARENA_BYTES = 1 << 16, CHUNK_ROWS = 1024, TEXT_BYTES_MAX = 64 << 20, JSONL = 0, CSV = 1 };

struct generating {
    const struct mr_arguments *arguments;
    struct mr_arena arena; /* of the run */
    struct mr_arena rows;  /* of a chunk */
    struct mr_cli_model model;
    struct mr_sample *sample;
    struct mr_buffer text;
    const char *path; /* of the output; NULL: standard output */
    FILE *output;
    bool is_csv;
};

static int64_t number_of(const struct generating *generating, const char *name, int64_t otherwise)
{
    return mr_arguments_given(generating->arguments, name)
               ? mr_arguments_flag(generating->arguments, name)->integer
               : otherwise;
}

static enum mr_exit say(const struct mr_error *error, enum mr_exit code)
{
    (void)fputs("millrace: ", stderr);
    mr_text_write(stderr, mr_slice_text(error->message));
    (void)fputc('\n', stderr);
    return code;
}

/* ---- CSV (RFC 4180) ---- */

static enum mr_status put_csv(struct mr_buffer *text, struct mr_slice value, bool is_first)
{
    bool quoted = value.size == 0;
    for (size_t at = 0; at < value.size && !quoted; at++)
        quoted = strchr(",\"\r\n", value.data[at]) != NULL;
    enum mr_status status = mr_buffer_reserve(text, 2 * value.size + 3);
    if (status != MR_OK)
        return status;
    uint8_t *at = text->data + text->size;
    if (!is_first)
        *at++ = ',';
    if (quoted)
        *at++ = '"';
    for (size_t byte = 0; byte < value.size; byte++) {
        if (quoted && value.data[byte] == '"')
            *at++ = '"';
        *at++ = value.data[byte];
    }
    if (quoted)
        *at++ = '"';
    text->size = (size_t)(at - text->data);
    return MR_OK;
}

static enum mr_status put_heading(struct generating *generating)
{
    const struct mr_sample_facts *facts = mr_sample_model_facts(generating->model.model);
    enum mr_status status = MR_OK;
    for (uint32_t field = 0; field < facts->fields_count && status == MR_OK; field++)
        status = put_csv(&generating->text, mr_slice_text(facts->fields[field]), field == 0);
    return status == MR_OK ? mr_buffer_append_text(&generating->text, "\n") : status;
}

/* A missing value is nothing between the commas, an empty text "". */
static enum mr_status put_csv_rows(struct generating *generating, uint64_t first, uint32_t count)
{
    uint32_t fields = mr_sample_model_facts(generating->model.model)->fields_count;
    enum mr_status status = MR_OK;
    mr_arena_reset(&generating->rows);
    struct mr_value *cells =
        mr_arena_take(&generating->rows, (size_t)fields * count * sizeof(*cells));
    mr_sample_cells(generating->sample, first, count, &generating->rows, cells);
    for (uint32_t row = 0; row < count && status == MR_OK; row++) {
        for (uint32_t field = 0; field < fields && status == MR_OK; field++) {
            struct mr_value cell = cells[(size_t)field * count + row];
            if (cell.kind == MR_KIND_NULL)
                status = mr_buffer_append_text(&generating->text, field == 0 ? "" : ",");
            else
                status = put_csv(&generating->text, mr_scalar_to_text(&generating->rows, cell),
                                 field == 0);
        }
        if (status == MR_OK)
            status = mr_buffer_append_text(&generating->text, "\n");
    }
    return status;
}

/* ---- Writing ---- */

static enum mr_exit write_text(struct generating *generating)
{
    size_t size = generating->text.size;
    bool written = size == 0 || fwrite(generating->text.data, 1, size, generating->output) == size;
    mr_buffer_clear(&generating->text);
    if (written)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s cannot be written: %s\n",
                  generating->path == NULL ? "standard output" : generating->path, strerror(errno));
    return MR_EXIT_USAGE;
}

static enum mr_exit write_rows(struct generating *generating)
{
    uint64_t first = (uint64_t)number_of(generating, "first", 0);
    uint64_t left = (uint64_t)number_of(generating, "count", 1000);
    enum mr_exit code = MR_EXIT_FINE;
    enum mr_status status = generating->is_csv ? put_heading(generating) : MR_OK;
    while (left > 0 && status == MR_OK && code == MR_EXIT_FINE) {
        uint32_t count = left < CHUNK_ROWS ? (uint32_t)left : CHUNK_ROWS;
        status = generating->is_csv ? put_csv_rows(generating, first, count)
                                    : mr_sample_write(generating->sample, first, count, NULL, "\n",
                                                      &generating->text);
        if (status == MR_OK && !generating->is_csv)
            status = mr_buffer_append_text(&generating->text, "\n");
        if (status == MR_OK)
            code = write_text(generating);
        first += count;
        left -= count;
    }
    if (status != MR_OK) {
        (void)fprintf(stderr, "millrace: %d rows exceed %d bytes\n", CHUNK_ROWS, TEXT_BYTES_MAX);
        return MR_EXIT_WRONG;
    }
    return code;
}

static enum mr_exit write_file(struct generating *generating)
{
    generating->path = mr_arguments_flag(generating->arguments, "out")->text;
    generating->output = generating->path == NULL ? stdout : fopen(generating->path, "wb");
    if (generating->output == NULL) {
        (void)fprintf(stderr, "millrace: %s cannot be written: %s\n", generating->path,
                      strerror(errno));
        return MR_EXIT_USAGE;
    }
    enum mr_exit code = write_rows(generating);
    bool is_ended =
        generating->path == NULL ? fflush(stdout) == 0 : fclose(generating->output) == 0;
    if (code == MR_EXIT_FINE && !is_ended) {
        (void)fprintf(stderr, "millrace: the rows cannot be written: %s\n", strerror(errno));
        return MR_EXIT_USAGE;
    }
    return code;
}

/* ---- The command ---- */

static enum mr_exit open_sample(struct generating *generating)
{
    const struct mr_flag_value *where = mr_arguments_flag(generating->arguments, "where");
    const char *given = mr_arguments_flag(generating->arguments, "conditions")->text;
    struct mr_error error;
    if (where->count > 0 && given != NULL) {
        (void)fputs("millrace: --where and --conditions both say what rows are: give one of them\n",
                    stderr);
        return MR_EXIT_USAGE;
    }
    if (mr_sample_where(where->texts, where->count, &generating->text, &error) != MR_OK)
        return say(&error, MR_EXIT_USAGE);
    struct mr_slice conditions =
        given != NULL ? mr_slice_text(given) : mr_buffer_view(&generating->text);
    enum mr_status status =
        mr_sample_open(generating->model.model, conditions,
                       (uint64_t)number_of(generating, "seed", 1), &generating->sample, &error);
    mr_buffer_clear(&generating->text);
    if (status != MR_OK)
        return say(&error, MR_EXIT_WRONG);
    if (where->count > 0 || given != NULL)
        (void)fprintf(stderr,
                      "millrace: a row of the model meets the conditions with probability "
                      "%.4g\n",
                      mr_sample_probability(generating->sample));
    return MR_EXIT_FINE;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct generating generating = {.arguments = arguments};
    generating.is_csv = number_of(&generating, "format", JSONL) == CSV;
    mr_arena_init(&generating.arena, ARENA_BYTES);
    mr_arena_init(&generating.rows, ARENA_BYTES);
    mr_buffer_init(&generating.text, TEXT_BYTES_MAX);
    enum mr_exit code =
        mr_cli_model_open(&generating.model, arguments, arguments->operands[0], &generating.arena);
    if (code == MR_EXIT_FINE)
        code = open_sample(&generating);
    if (code == MR_EXIT_FINE)
        code = write_file(&generating);
    mr_sample_close(generating.sample);
    mr_cli_model_close(&generating.model);
    mr_buffer_deinit(&generating.text);
    mr_arena_deinit(&generating.rows);
    mr_arena_deinit(&generating.arena);
    return code;
}

static const char *const formats[] = {"jsonl", "csv", NULL};

static const struct mr_flag flags[] = {
    {.name = "count",
     .letter = 'n',
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 1000000000000,
     .help = "How many rows (default 1000)."},
    {.name = "where",
     .letter = 'w',
     .kind = MR_FLAG_TEXTS,
     .value = "CEL",
     .help = "What every row meets: comparisons of fields with values, joined by &&. Repeatable."},
    {.name = "conditions",
     .kind = MR_FLAG_TEXT,
     .value = "JSON",
     .help = "The same as requests say it: '{\"age\":{\"gte\":21},\"region\":\"West\"}'."},
    {.name = "seed",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 0,
     .maximum = 1000000000000000,
     .help = "What the rows are drawn from (default 1): the same seed, the same rows."},
    {.name = "first",
     .kind = MR_FLAG_INTEGER,
     .value = "ROW",
     .minimum = 0,
     .maximum = 1000000000000000,
     .help = "Number of the first row (default 0): go on where another run has ended."},
    {.name = "format",
     .letter = 'f',
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = formats,
     .help = "Write `jsonl` (the default) or `csv`."},
    {.name = "out",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Where the rows are written (default: standard output)."},
    MR_FLAGS_MODEL,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_generate = {
    .name = "generate",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "Draw synthetic rows from a model.",
    .description =
        "MODEL is a file (`millrace model save` writes one) or TOPOLOGY/OPERATOR of a cluster "
        "(--server), where a generator\nlearns. Rows under conditions are drawn as such, not "
        "filtered: rare ones cost no more. How likely the conditions\nare is told on standard "
        "error; impossible ones are refused with the reason.\n"
        "  millrace generate people.json -n 1000 --where 'age >= 21 && region == \"West\"' "
        "--format csv",
    .flags = flags,
    .run = run};
