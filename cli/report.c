/* cli/report.c — `millrace report spc`: a control chart of one key as an HTML page; and the command
 * of both reports (the other one: cli/report_synthetic.h).
 * Where the points come from: from what the chart wrote. A chart's kept state has its limits and
 * the last marks for run rules, not its points, so the records of its sink are read: those of the
 * topic, committed ones only, or lines of a file. The topology says which operator is the chart,
 * where its points are in a record, what its key is, and which topic its sink writes. */
#include "cli/report_read.h"

#include "base/assert.h"
#include "cli/catalogue.h"
#include "cli/load.h"
#include "cli/report_page.h"
#include "cli/report_synthetic.h"
#include "cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, LAST_DEFAULT = 120, KEY_FIELDS_MAX = 32 };

struct reporting {
    const struct mr_arguments *arguments;
    struct mr_arena arena;
    struct mr_catalogue catalogue;
    const struct mr_plan *plan;
    const struct mr_plan_node *node; /* the chart */
    struct mr_report_chart chart;
    struct mr_series series;
};

static const char *flag(const struct reporting *reporting, const char *name)
{
    return mr_arguments_flag(reporting->arguments, name)->text;
}

/* ---- The chart in the topology ---- */

static const char *help_of(const struct mr_type_spec *type, const char *member)
{
    bool adds = (type->flags & MR_TYPE_ADDS_FIELD) != 0;
    const struct mr_output_field *fields = adds ? type->added_fields : type->outputs[0].fields;
    uint32_t count = adds ? type->added_fields_count : type->outputs[0].fields_count;
    for (uint32_t index = 0; index < count; index++)
        if (strcmp(fields[index].name, member) == 0)
            return fields[index].help;
    return NULL;
}

/* spc.capability is none: it has no limits that its points are within. */
static bool is_chart(const struct mr_plan_node *node)
{
    return strncmp(node->type->name, "spc.", 4) == 0 &&
           mr_option_specs_find(node->options.specs, "phase1") >= 0;
}

static enum mr_exit find_chart(struct reporting *reporting)
{
    const struct mr_plan *plan = reporting->plan;
    const char *wanted = flag(reporting, "operator");
    uint32_t count = 0;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        if (!is_chart(node) || (wanted != NULL && strcmp(wanted, node->name) != 0))
            continue;
        reporting->node = node;
        count++;
    }
    if (count == 1)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s ", plan->name);
    if (wanted != NULL) {
        (void)fprintf(stderr, "has no control chart '%s'", wanted);
    } else {
        (void)fprintf(stderr, count == 0 ? "has no control chart (spc.*)"
                                         : "has several control charts: say which by --operator");
    }
    for (uint32_t index = 0, told = 0; index < plan->nodes_count; index++)
        if (is_chart(&plan->nodes[index]))
            (void)fprintf(stderr, "%s%s", told++ == 0 ? "; there are: " : ", ",
                          plan->nodes[index].name);
    (void)fputc('\n', stderr);
    return MR_EXIT_WRONG;
}

static void take_last_name(struct mr_path *path)
{
    uint32_t last = 0;
    for (uint32_t step = 1; step < path->steps_count; step++)
        if (path->steps[step].name != NULL)
            last = step;
    path->steps += last;
    path->steps_count = 1;
}

/* The key's fields in a record of the chart: where they were in its input, or, in records of
 * subgroups, at the top under their last names. */
static enum mr_exit find_key(struct reporting *reporting, struct mr_series_shape *shape)
{
    const struct mr_plan_key *key = &reporting->node->key;
    const char *given = flag(reporting, "key");
    if ((key->slots_count > 0) != (given != NULL)) {
        (void)fprintf(stderr,
                      given == NULL ? "millrace: --key is missing: '%s' has a chart for each key\n"
                                    : "millrace: '%s' has no key: leave out --key\n",
                      reporting->node->name);
        return MR_EXIT_USAGE;
    }
    struct mr_path *paths = mr_arena_new(&reporting->arena, key->slots_count, sizeof(*paths));
    for (uint32_t index = 0; index < key->slots_count; index++) {
        struct mr_error error;
        enum mr_status status =
            mr_path_parse(&reporting->arena, key->texts[index], &paths[index], &error);
        MR_ASSERT(status == MR_OK); /* it was planned */
        if (shape->as == NULL)
            take_last_name(&paths[index]);
    }
    shape->paths = paths;
    shape->paths_count = key->slots_count;
    shape->key = given;
    reporting->chart.key = given;
    return MR_EXIT_FINE;
}

/* ---- What the topology says of it ---- */

static bool is_given(const struct mr_options *options, const char *name)
{
    return mr_option_specs_find(options->specs, name) >= 0 && mr_options_present(options, name);
}

static const char *words_of_limits(struct reporting *reporting, const struct mr_options *options)
{
    struct mr_arena *arena = &reporting->arena;
    if (!is_given(options, "limits"))
        return "estimated in phase 1";
    const struct mr_options *limits = mr_options_get(options, "limits")->objects;
    if (mr_option_specs_find(limits->specs, "cl") < 0) /* of several fields */
        return "given: means, sigmas and correlations of the fields";
    double center = mr_options_number(limits, "cl");
    if (is_given(limits, "sigma"))
        return mr_arena_format(arena, "given: centre line %.10g, sigma %.10g", center,
                               mr_options_number(limits, "sigma"));
    if (!reporting->chart.is_fixed)
        return mr_arena_format(arena, "given: centre line %.10g", center);
    return mr_arena_format(arena, "given: %.10g, %.10g to %.10g", center,
                           mr_options_number(limits, "lcl"), mr_options_number(limits, "ucl"));
}

static const char *joined(struct reporting *reporting, const struct mr_option_value *list)
{
    const char *words = list->texts[0];
    for (uint32_t index = 1; index < list->count; index++)
        words = mr_arena_format(&reporting->arena, "%s, %s", words, list->texts[index]);
    return words;
}

static const char *words_of_rules(struct reporting *reporting, const struct mr_options *options)
{
    if (mr_option_specs_find(options->specs, "rules") < 0)
        return NULL;
    const struct mr_option_value *rules = mr_options_get(options, "rules");
    return rules->count == 0 ? "we1" : joined(reporting, rules);
}

static const char *words_of_fields(struct reporting *reporting, const struct mr_options *options)
{
    if (is_given(options, "field"))
        return mr_options_text(options, "field");
    return is_given(options, "fields") ? joined(reporting, mr_options_get(options, "fields"))
                                       : reporting->node->name;
}

static void describe(struct reporting *reporting)
{
    static const char *const baselines[] = {"stays", "follows as the mean of all points",
                                            "follows, newer points weigh more"};
    const struct mr_plan_node *node = reporting->node;
    const struct mr_options *options = &node->options;
    struct mr_report_chart *chart = &reporting->chart;
    chart->topology = reporting->plan->name;
    chart->operator_name = node->name;
    chart->type = node->type->name;
    chart->field = words_of_fields(reporting, options);
    chart->value_help = help_of(node->type, "value");
    chart->spread_help = help_of(node->type, "spread");
    chart->has_zones = mr_option_specs_find(options->specs, "rules") >= 0;
    chart->has_sums = help_of(node->type, "high") != NULL && help_of(node->type, "low") != NULL;
    chart->is_fixed =
        is_given(options, "limits") && is_given(mr_options_get(options, "limits")->objects, "ucl");
    chart->is_even = !is_given(options, "size");
    chart->limits = words_of_limits(reporting, options);
    chart->rules = words_of_rules(reporting, options);
    if (mr_option_specs_find(options->specs, "baseline") >= 0)
        chart->baseline = baselines[mr_options_integer(options, "baseline")];
}

static enum mr_exit open_chart(struct reporting *reporting)
{
    const char *topology = flag(reporting, "topology");
    struct mr_series_shape shape = {0};
    if (topology == NULL) {
        (void)fputs("millrace: --topology is missing: its name, or with --from its file\n", stderr);
        return MR_EXIT_USAGE;
    }
    mr_catalogue_make(&reporting->arena, &reporting->catalogue);
    struct mr_plan *plan = NULL;
    enum mr_exit code =
        flag(reporting, "from") != NULL
            ? mr_load_plan(&reporting->arena, topology, &reporting->catalogue, &plan)
            : mr_report_fetch(reporting->arguments, &reporting->arena, &reporting->catalogue,
                              &plan);
    reporting->plan = plan;
    if (code == MR_EXIT_FINE)
        code = find_chart(reporting);
    if (code != MR_EXIT_FINE)
        return code;
    shape.type = reporting->node->type->name;
    shape.as = reporting->node->as;
    code = find_key(reporting, &shape);
    if (code != MR_EXIT_FINE)
        return code;
    describe(reporting);
    uint32_t last = LAST_DEFAULT;
    if (mr_arguments_given(reporting->arguments, "last"))
        last = (uint32_t)mr_arguments_flag(reporting->arguments, "last")->integer;
    mr_series_init(&reporting->series, &shape, last, &reporting->arena);
    return MR_EXIT_FINE;
}

/* ---- The page ---- */

static enum mr_exit report_nothing(const struct reporting *reporting, const char *where)
{
    const struct mr_series *series = &reporting->series;
    (void)fprintf(stderr, "millrace: %s: no points of '%s'", where, reporting->node->name);
    if (series->shape.key != NULL) {
        (void)fputs(" for the key ", stderr);
        mr_text_write(stderr, mr_slice_text(series->shape.key));
    }
    (void)fprintf(stderr, " among %" PRIu64 " records", series->records);
    for (uint32_t index = 0; index < series->keys_count; index++) {
        (void)fputs(index == 0 ? "; other keys there: " : ", ", stderr);
        mr_text_write(stderr, mr_slice_text(series->keys[index]));
    }
    (void)fputc('\n', stderr);
    return MR_EXIT_WRONG;
}

/* Limits of phase 2 are those of phase 1 where all subgroups have one size. */
static bool has_one_size(const struct mr_series *series)
{
    for (uint32_t index = 1; index < series->first_count; index++)
        if (series->first[index].size != series->first[0].size)
            return false;
    return true;
}

static bool is_to_file(const struct reporting *reporting)
{
    const char *path = flag(reporting, "out");
    return path != NULL && strcmp(path, "-") != 0;
}

static enum mr_exit write_page(const struct reporting *reporting, struct mr_slice page)
{
    bool to_file = is_to_file(reporting);
    const char *path = to_file ? flag(reporting, "out") : "the page";
    FILE *output = to_file ? fopen(path, "wb") : stdout;
    bool written = output != NULL && fwrite(page.data, 1, page.size, output) == page.size &&
                   fflush(output) == 0;
    int reason = errno;
    if (to_file && output != NULL && fclose(output) != 0)
        written = false;
    if (written)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: %s cannot be written: %s\n", path, strerror(reason));
    return MR_EXIT_USAGE;
}

/* What the page shows, where the page itself is not on standard output. */
static void print_result(const struct reporting *reporting)
{
    const struct mr_series *series = &reporting->series;
    bool json = mr_arguments_flag(reporting->arguments, "output")->integer == MR_OUTPUT_JSON;
    printf(json ? "{\"points\":%" PRIu64 ",\"phase1_points\":%" PRIu64 ",\"anomalies\":%" PRIu64
                  ",\"rules_broken\":%" PRIu64 "}\n"
                : "%" PRIu64 " points, %" PRIu64 " of them phase 1; %" PRIu64
                  " out of control, %" PRIu64 " broken rules\n",
           series->points, series->learning, series->anomalies, series->breaches_total);
}

static enum mr_exit make_page(struct reporting *reporting)
{
    struct mr_markup markup;
    const struct mr_series *series = &reporting->series;
    reporting->chart.is_even = reporting->chart.is_even && has_one_size(series);
    mr_markup_init(&markup);
    mr_report_page(&markup, &reporting->chart, series);
    enum mr_exit code = MR_EXIT_WRONG;
    if (markup.full)
        (void)fputs("millrace: the page is too large; take fewer points by --last\n", stderr);
    else
        code = write_page(reporting, mr_buffer_view(&markup.buffer));
    mr_markup_deinit(&markup);
    if (code == MR_EXIT_FINE && is_to_file(reporting))
        print_result(reporting);
    return code;
}

static enum mr_exit report_spc(struct reporting *reporting)
{
    const char *from = flag(reporting, "from");
    const char *where = from;
    enum mr_exit code = open_chart(reporting);
    if (code == MR_EXIT_FINE)
        code = from != NULL ? mr_report_read_file(from, &reporting->series)
                            : mr_report_read_topic(reporting->arguments, reporting->plan,
                                                   reporting->node, &reporting->series, &where);
    if (code != MR_EXIT_FINE)
        return code;
    return reporting->series.points == 0 ? report_nothing(reporting, where) : make_page(reporting);
}

/* A flag of the other report, or NULL. */
static const char *foreign_flag(const struct mr_arguments *arguments, bool is_synthetic)
{
    for (const struct mr_flag *one = arguments->command->flags; one->name != NULL; one++) {
        bool is_its = false;
        for (const char *const *name = mr_report_synthetic_flags; *name != NULL; name++)
            is_its = is_its || strcmp(*name, one->name) == 0;
        bool is_shared = strcmp(one->name, "out") == 0 || strcmp(one->name, "output") == 0;
        if (!is_shared && is_its != is_synthetic && mr_arguments_given(arguments, one->name))
            return one->name;
    }
    return NULL;
}

static enum mr_exit check_form(const struct mr_arguments *arguments, bool is_synthetic)
{
    const char *foreign = foreign_flag(arguments, is_synthetic);
    if (!is_synthetic && strcmp(arguments->operands[0], "spc") != 0) {
        (void)fprintf(stderr,
                      "millrace: there is no report '%s'; there are: report spc, and report --real "
                      "FILE --synthetic FILE\n",
                      arguments->operands[0]);
        return MR_EXIT_USAGE;
    }
    if (foreign == NULL)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: --%s has no meaning for %s\n", foreign,
                  is_synthetic ? "the report of synthetic data; a control chart's is `report spc`"
                               : "`report spc`; leave out `spc` to compare two tables");
    return MR_EXIT_USAGE;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct reporting reporting = {.arguments = arguments};
    bool is_synthetic = arguments->operands_count == 0;
    enum mr_exit code = check_form(arguments, is_synthetic);
    if (code != MR_EXIT_FINE)
        return code;
    if (is_synthetic)
        return mr_report_synthetic(arguments);
    if (mr_arguments_given(arguments, "output") && !is_to_file(&reporting)) {
        (void)fputs("millrace: -o says how the result is told beside a page in a file: add --out\n",
                    stderr);
        return MR_EXIT_USAGE;
    }
    mr_arena_init(&reporting.arena, ARENA_CHUNK_BYTES);
    code = report_spc(&reporting);
    mr_arena_deinit(&reporting.arena);
    return code;
}

static const struct mr_flag flags[] = {
    {.name = "topology",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The topology in the cluster; with --from its file."},
    {.name = "operator",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The control chart, where the topology has more than one."},
    {.name = "key", .letter = 'k', .kind = MR_FLAG_TEXT, .value = "KEY", .help = "Whose chart."},
    {.name = "from",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Read the chart's records from lines of a file (-: standard input), not from Kafka."},
    {.name = "last",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = MR_SERIES_LAST_MAX,
     .help = "Show so many points one by one (default 120); all of them are in the overview."},
    {.name = "out",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Where the page is written (default: standard output)."},
    MR_FLAGS_REPORT_SYNTHETIC,
    MR_FLAG_OUTPUT,
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    MR_FLAGS_SERVER,
    {.name = NULL}};

const struct mr_command mr_command_report = {
    .name = "report",
    .operands = "[spc]",
    .operands_min = 0,
    .operands_max = 1,
    .summary = "Compare synthetic data with real data, or draw a control chart, as an HTML page.",
    .description =
        "  millrace report --real A.csv --synthetic B.csv --out quality.html\n"
        "scores how alike two tables are: each column's shape, the trends of pairs, validity, "
        "coverage, and whether\nsynthetic rows are copies of real ones, as sdmetrics 0.32.0 "
        "defines it; -o json prints the scores.\n\n"
        "  millrace report spc --topology chart.yaml --from records.jsonl --key m1 --out "
        "chart.html\n"
        "draws a key's control chart: the points with centre line, limits and zones, phase 1, and "
        "the rules that were\nbroken with the points that broke them. The points are read from "
        "the topic of the chart's sink (--brokers), the\ntopology from the cluster (--server); or "
        "both from files, without a cluster, as above.\n"
        "KEY is the key as message keys have it: one text is itself, other keys are a compact JSON "
        "array such as '[\"s1\",2]'.",
    .flags = flags,
    .run = run};
