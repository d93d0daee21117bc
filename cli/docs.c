/* cli/docs.c — `millrace docs`: reference pages made from the types' own tables (topology/docs.h).
 */
#include "topology/docs.h"
#include "base/buffer.h"
#include "base/engine_metrics.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "cli/command.h"
#include "topology/crd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { ARENA_CHUNK_BYTES = 64 << 10, PAGE_BYTES_MAX = 1 << 20, PATH_BYTES_MAX = 1024 };

struct docs {
    struct mr_arena arena;
    struct mr_catalogue catalogue;
    struct mr_buffer page; /* the one that is made */
};

static const char *const role_names[] = {
    [MR_ROLE_SOURCE] = "source", [MR_ROLE_OPERATOR] = "operator", [MR_ROLE_SINK] = "sink"};

static enum mr_exit too_long(void)
{
    fprintf(stderr, "millrace: a reference page is longer than %d bytes\n", (int)PAGE_BYTES_MAX);
    return MR_EXIT_WRONG;
}

static void print_page(struct docs *docs)
{
    fwrite(docs->page.data, 1, docs->page.size, stdout);
    mr_buffer_clear(&docs->page);
}

static enum mr_exit unknown_type(const struct docs *docs, const char *name)
{
    uint32_t count = docs->catalogue.types_count;
    const char **names = mr_memory_new(count, sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = docs->catalogue.types[i]->name;
    const char *nearest = mr_options_nearest(name, names, count);
    fprintf(stderr, "millrace: there is no type '%s'", name);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fputs("; `millrace docs` lists them\n", stderr);
    mr_memory_free(names);
    return MR_EXIT_USAGE;
}

/* A name can be a source's and a sink's: both pages are printed. */
static enum mr_exit print_type(struct docs *docs, const char *name)
{
    if (strcmp(name, "topology") == 0) {
        if (mr_docs_file(MR_DOCS_TEXT, &docs->page) != MR_OK)
            return too_long();
        print_page(docs);
        return MR_EXIT_FINE;
    }
    if (strcmp(name, "aggregates") == 0) {
        if (mr_docs_aggregates(&docs->catalogue, MR_DOCS_TEXT, &docs->page) != MR_OK)
            return too_long();
        print_page(docs);
        return MR_EXIT_FINE;
    }
    bool found = false;
    for (uint32_t i = 0; i < docs->catalogue.types_count; i++) {
        const struct mr_type_spec *type = docs->catalogue.types[i];
        if (strcmp(type->name, name) != 0)
            continue;
        if (mr_docs_type(&docs->catalogue, type, MR_DOCS_TEXT, &docs->page) != MR_OK)
            return too_long();
        if (found)
            putchar('\n');
        print_page(docs);
        found = true;
    }
    return found ? MR_EXIT_FINE : unknown_type(docs, name);
}

static enum mr_exit print_list(struct docs *docs)
{
    if (mr_docs_list(&docs->catalogue, MR_DOCS_TEXT, &docs->page) != MR_OK)
        return too_long();
    print_page(docs);
    puts("\n`millrace docs TYPE` shows one of them, `millrace docs topology` the file itself,\n"
         "`millrace docs aggregates` the functions that sum up groups of rows.");
    return MR_EXIT_FINE;
}

/* docs/METRICS.md: the engine's metrics, from the table that registers them. */
static enum mr_exit print_metrics(struct docs *docs)
{
    enum mr_status status = mr_buffer_append_text(
        &docs->page,
        "# Metrics\n"
        "The engine's metrics, made by `millrace docs --metrics`. Durations and times are in "
        "seconds. "
        "Histograms have an error of at most\n1/32; their text form has one bucket per power of "
        "two. The source `metrics` reads the operators' rows back into a topology.\n"
        "\"Watch for\" says which value or change is worth a look, and what to do then; names "
        "that begin with Millrace are alerts, which\n[OPERATIONS.md](OPERATIONS.md#alerts) "
        "explains. Of a counter look at the rate, of a histogram at quantiles over five "
        "minutes.\n\n");
    if (status == MR_OK)
        status = mr_engine_metrics_table(&docs->page);
    if (status != MR_OK)
        return too_long();
    print_page(docs);
    return MR_EXIT_FINE;
}

/* deploy/k8s/base/crd.yaml: topologies as objects of Kubernetes. */
static enum mr_exit print_crd(struct docs *docs)
{
    if (mr_crd_write(&docs->catalogue, &docs->page) != MR_OK)
        return too_long();
    print_page(docs);
    return MR_EXIT_FINE;
}

/* Write the page to DIR/name and clear it. */
static enum mr_exit write_page(struct docs *docs, const char *folder, const char *name)
{
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        fprintf(stderr, "millrace: the path of '%s' is too long\n", name);
        return MR_EXIT_USAGE;
    }
    FILE *file = fopen(path, "wb");
    bool written =
        file != NULL && fwrite(docs->page.data, 1, docs->page.size, file) == docs->page.size;
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written) {
        fprintf(stderr, "millrace: cannot write '%s': %s\n", path, strerror(errno));
        return MR_EXIT_USAGE;
    }
    mr_buffer_clear(&docs->page);
    return MR_EXIT_FINE;
}

static enum mr_exit write_type(struct docs *docs, const char *folder,
                               const struct mr_type_spec *type)
{
    char name[128];
    snprintf(name, sizeof name, "%s-%s.md", role_names[type->role], type->name);
    if (mr_docs_type(&docs->catalogue, type, MR_DOCS_MARKDOWN, &docs->page) != MR_OK)
        return too_long();
    return write_page(docs, folder, name);
}

static enum mr_exit write_all(struct docs *docs, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "millrace: cannot make '%s': %s\n", folder, strerror(errno));
        return MR_EXIT_USAGE;
    }
    if (mr_docs_list(&docs->catalogue, MR_DOCS_MARKDOWN, &docs->page) != MR_OK)
        return too_long();
    enum mr_exit code = write_page(docs, folder, "README.md");
    if (code == MR_EXIT_FINE && mr_docs_file(MR_DOCS_MARKDOWN, &docs->page) != MR_OK)
        return too_long();
    if (code == MR_EXIT_FINE)
        code = write_page(docs, folder, "topology.md");
    if (code == MR_EXIT_FINE &&
        mr_docs_aggregates(&docs->catalogue, MR_DOCS_MARKDOWN, &docs->page) != MR_OK)
        return too_long();
    if (code == MR_EXIT_FINE)
        code = write_page(docs, folder, "aggregates.md");
    for (uint32_t i = 0; i < docs->catalogue.types_count && code == MR_EXIT_FINE; i++)
        code = write_type(docs, folder, docs->catalogue.types[i]);
    if (code == MR_EXIT_FINE)
        printf("%s: %u pages\n", folder, docs->catalogue.types_count + 3);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct docs docs;
    enum mr_exit code;
    mr_arena_init(&docs.arena, ARENA_CHUNK_BYTES);
    mr_buffer_init(&docs.page, PAGE_BYTES_MAX);
    mr_catalogue_make(&docs.arena, &docs.catalogue);
    const struct mr_flag_value *all = mr_arguments_flag(arguments, "all");
    bool metrics = mr_arguments_given(arguments, "metrics");
    bool crd = mr_arguments_given(arguments, "crd");
    if ((all->count > 0) + metrics + crd + (arguments->operands_count > 0) > 1) {
        fputs("millrace: give one of --all, --metrics, --crd and TYPE\n", stderr);
        code = MR_EXIT_USAGE;
    } else if (crd) {
        code = print_crd(&docs);
    } else if (metrics) {
        code = print_metrics(&docs);
    } else if (all->count > 0) {
        code = write_all(&docs, all->text);
    } else if (arguments->operands_count > 0) {
        code = print_type(&docs, arguments->operands[0]);
    } else {
        code = print_list(&docs);
    }
    mr_buffer_deinit(&docs.page);
    mr_arena_deinit(&docs.arena);
    return code;
}

static const struct mr_flag flags[] = {
    {.name = "all",
     .kind = MR_FLAG_TEXT,
     .value = "DIR",
     .help = "Write the pages of all types, as Markdown, into this folder."},
    {.name = "metrics", .kind = MR_FLAG_SWITCH, .help = "Show the engine's metrics, as Markdown."},
    {.name = "crd",
     .kind = MR_FLAG_SWITCH,
     .help = "Show the CustomResourceDefinition of topologies in Kubernetes, as YAML."},
    {.name = NULL}};

const struct mr_command mr_command_docs = {
    .name = "docs",
    .operands = "[TYPE]",
    .operands_max = 1,
    .summary = "Show the reference of a type: options, inputs, outputs and state.",
    .description = "Without TYPE: the list of all types. `topology` is the file's own options, "
                   "`aggregates` the functions for groups of rows.",
    .flags = flags,
    .run = run};
