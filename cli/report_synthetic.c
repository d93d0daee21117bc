/* cli/report_synthetic.c — see report_synthetic.h.
 * Flow: each file is read twice: what is in it, then the cells of the rows that are compared. */
#include "cli/report_synthetic.h"

#include "cli/report_synthetic_page.h"

#include <errno.h>
#include <string.h>

enum {
    ARENA_BYTES = 1 << 20,
    ROWS_DEFAULT = 200000,
    PRIVACY_ROWS_DEFAULT = 10000,
    REAL = 0,
    SYNTHETIC = 1,
    HOLDOUT = 2
};

const char *const mr_report_synthetic_flags[] = {"real",  "synthetic", "holdout",      "metadata",
                                                 "types", "rows",      "privacy-rows", NULL};

struct comparing {
    const struct mr_arguments *arguments;
    struct mr_arena arena;
    struct mr_synthetic_scan scans[MR_SYNTHETIC_FILES_MAX];
    struct mr_synthetic_kinds kinds;
    struct mr_synthetic_load load;
};

static const char *flag(const struct comparing *comparing, const char *name)
{
    return mr_arguments_flag(comparing->arguments, name)->text;
}

static uint32_t count_flag(const struct comparing *comparing, const char *name, uint32_t otherwise)
{
    return mr_arguments_given(comparing->arguments, name)
               ? (uint32_t)mr_arguments_flag(comparing->arguments, name)->integer
               : otherwise;
}

/* Columns of held-out rows are the real table's. */
static enum mr_status check_holdout(const struct comparing *comparing, struct mr_error *error)
{
    const struct mr_synthetic_scan *real = &comparing->scans[REAL];
    const struct mr_synthetic_scan *holdout = &comparing->scans[HOLDOUT];
    for (uint32_t column = 0; column < real->columns_count; column++)
        if (mr_synthetic_scan_find(holdout, real->names[column]) == holdout->columns_count)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s has no column '%s', which %s has: both need the same columns",
                           holdout->path, real->names[column], real->path);
    return MR_OK;
}

static enum mr_status read_files(struct comparing *comparing, struct mr_error *error)
{
    const char *const paths[MR_SYNTHETIC_FILES_MAX] = {
        flag(comparing, "real"), flag(comparing, "synthetic"), flag(comparing, "holdout")};
    const struct mr_flag_value *types = mr_arguments_flag(comparing->arguments, "types");
    struct mr_synthetic_load *load = &comparing->load;
    enum mr_status status = MR_OK;
    *load = (struct mr_synthetic_load){.arena = &comparing->arena,
                                       .kinds = &comparing->kinds,
                                       .rows_max = count_flag(comparing, "rows", ROWS_DEFAULT),
                                       .files_count = paths[HOLDOUT] != NULL ? 3 : 2,
                                       .scans = comparing->scans};
    for (uint32_t file = 0; file < load->files_count && status == MR_OK; file++)
        status = mr_synthetic_scan(paths[file], &comparing->arena, &comparing->scans[file], error);
    if (status == MR_OK)
        status = mr_synthetic_kinds_open(&comparing->kinds, &comparing->scans[REAL],
                                         &comparing->scans[SYNTHETIC], flag(comparing, "metadata"),
                                         types->texts, types->count, &comparing->arena, error);
    if (status == MR_OK && paths[HOLDOUT] != NULL)
        status = check_holdout(comparing, error);
    return status == MR_OK ? mr_synthetic_load(load, error) : status;
}

/* ---- What is told ---- */

static bool is_to_file(const struct comparing *comparing)
{
    const char *path = flag(comparing, "out");
    return path != NULL && strcmp(path, "-") != 0;
}

static enum mr_exit write_page(const struct comparing *comparing,
                               const struct mr_synthetic_report *report)
{
    struct mr_markup markup;
    bool to_file = is_to_file(comparing);
    const char *path = to_file ? flag(comparing, "out") : "the page";
    mr_markup_init(&markup);
    mr_synthetic_page(&markup, report);
    if (markup.full) {
        mr_markup_deinit(&markup);
        (void)fputs("millrace: the page is too large: compare fewer columns\n", stderr);
        return MR_EXIT_WRONG;
    }
    struct mr_slice page = mr_buffer_view(&markup.buffer);
    FILE *output = to_file ? fopen(path, "wb") : stdout;
    bool written = output != NULL && fwrite(page.data, 1, page.size, output) == page.size &&
                   fflush(output) == 0;
    int reason = errno;
    if (to_file && output != NULL && fclose(output) != 0)
        written = false;
    mr_markup_deinit(&markup);
    if (written)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s cannot be written: %s\n", path, strerror(reason));
    return MR_EXIT_USAGE;
}

/* The page goes to --out, or to standard output unless the scores are asked for there by -o. */
static enum mr_exit tell(const struct comparing *comparing,
                         const struct mr_synthetic_report *report)
{
    bool is_asked = mr_arguments_given(comparing->arguments, "output");
    bool json = mr_arguments_flag(comparing->arguments, "output")->integer == MR_OUTPUT_JSON;
    enum mr_exit code = MR_EXIT_FINE;
    if (is_to_file(comparing) || !is_asked)
        code = write_page(comparing, report);
    if (code != MR_EXIT_FINE || (!is_to_file(comparing) && !is_asked))
        return code;
    bool written =
        json ? mr_synthetic_report_json(report, stdout) : mr_synthetic_report_text(report, stdout);
    if (written)
        return MR_EXIT_FINE;
    (void)fputs("millrace: standard output cannot be written\n", stderr);
    return MR_EXIT_USAGE;
}

static enum mr_exit compare(struct comparing *comparing)
{
    const struct mr_synthetic_load *load = &comparing->load;
    const struct mr_synthetic_pair_of_tables tables = {.columns_count =
                                                           comparing->kinds.columns_count,
                                                       .columns = load->columns,
                                                       .real = load->tables[REAL],
                                                       .synthetic = load->tables[SYNTHETIC]};
    struct mr_synthetic_scores scores;
    struct mr_synthetic_privacy privacy;
    mr_synthetic_score(&tables, load->formats, &comparing->arena, &scores);
    mr_synthetic_privacy_score(&tables, load->files_count > HOLDOUT ? &load->tables[HOLDOUT] : NULL,
                               count_flag(comparing, "privacy-rows", PRIVACY_ROWS_DEFAULT),
                               &privacy);
    const struct mr_synthetic_report report = {
        .load = load, .tables = &tables, .scores = &scores, .privacy = &privacy};
    return tell(comparing, &report);
}

static enum mr_exit check_flags(const struct comparing *comparing)
{
    const char *missing = flag(comparing, "real") == NULL        ? "--real"
                          : flag(comparing, "synthetic") == NULL ? "--synthetic"
                                                                 : NULL;
    if (missing != NULL) {
        (void)fprintf(stderr,
                      "millrace: %s is missing: report --real FILE --synthetic FILE compares two "
                      "tables\n",
                      missing);
        return MR_EXIT_USAGE;
    }
    if (flag(comparing, "metadata") != NULL && mr_arguments_given(comparing->arguments, "types")) {
        (void)fputs("millrace: --metadata and --types both say what the columns are: give one\n",
                    stderr);
        return MR_EXIT_USAGE;
    }
    return MR_EXIT_FINE;
}

enum mr_exit mr_report_synthetic(const struct mr_arguments *arguments)
{
    struct comparing comparing = {.arguments = arguments};
    struct mr_error error;
    enum mr_exit code = check_flags(&comparing);
    if (code != MR_EXIT_FINE)
        return code;
    mr_arena_init(&comparing.arena, ARENA_BYTES);
    enum mr_status status = read_files(&comparing, &error);
    if (status == MR_OK) {
        code = compare(&comparing);
    } else {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        code = status == MR_IO ? MR_EXIT_USAGE : MR_EXIT_WRONG;
    }
    mr_synthetic_kinds_close(&comparing.kinds);
    mr_arena_deinit(&comparing.arena);
    return code;
}
