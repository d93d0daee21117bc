/* tests/support/topology_fixture.c — see topology_fixture.h. */
#include "tests/support/topology_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "tests/support/topology_catalogue.h"

void mr_topology_fixture_open_file(struct mr_topology_fixture *fixture, const char *text)
{
    mr_arena_init(&fixture->arena, 64 << 10);
    mr_report_init(&fixture->report, &fixture->arena, "test.yaml");
    mr_topology_parse(mr_slice_text(text), &mr_test_catalogue, NULL, &fixture->arena,
                      &fixture->report, &fixture->plan);
}

void mr_topology_fixture_open(struct mr_topology_fixture *fixture, const char *body)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 16 << 10);
    mr_topology_fixture_open_file(fixture, mr_arena_format(&arena,
                                                           "apiVersion: millrace.io/v1alpha1\n"
                                                           "kind: Topology\n"
                                                           "metadata: {name: test}\n"
                                                           "spec:\n%s",
                                                           body));
    mr_arena_deinit(&arena); /* the plan keeps nothing of the text */
}

void mr_topology_fixture_close(struct mr_topology_fixture *fixture)
{
    mr_arena_deinit(&fixture->arena);
}

bool mr_topology_fixture_says(const struct mr_topology_fixture *fixture, const char *part)
{
    for (uint32_t i = 0; i < fixture->report.findings_count; i++)
        if (strstr(fixture->report.findings[i].message, part) != NULL)
            return true;
    return false;
}

uint32_t mr_topology_fixture_count(const struct mr_topology_fixture *fixture,
                                   enum mr_severity severity)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fixture->report.findings_count; i++)
        count += fixture->report.findings[i].severity == severity;
    return count;
}

const struct mr_plan_node *mr_topology_fixture_node(const struct mr_topology_fixture *fixture,
                                                    const char *name)
{
    const struct mr_plan_node *node =
        fixture->plan == NULL ? NULL : mr_plan_node_find(fixture->plan, name);
    if (node != NULL)
        return node;
    for (uint32_t i = 0; i < fixture->report.findings_count; i++)
        fprintf(stderr, "%u:%u: %s\n", fixture->report.findings[i].location.line,
                fixture->report.findings[i].location.column, fixture->report.findings[i].message);
    fprintf(stderr, "there is no node %s\n", name);
    abort();
}

const struct mr_plan_domain *mr_topology_fixture_domain(const struct mr_topology_fixture *fixture,
                                                        const char *name)
{
    const struct mr_plan_node *node = mr_topology_fixture_node(fixture, name);
    uint32_t domain = node->outputs_count > 0 ? node->outputs[0].domain : node->inputs[0].domain;
    MR_ASSERT(domain < fixture->plan->domains_count);
    return &fixture->plan->domains[domain];
}

uint32_t mr_topology_fixture_read(const struct mr_plan_domain *domain, const char *path)
{
    for (uint32_t i = 0; i < domain->reads_count; i++)
        if (strcmp(domain->reads[i].path.text, path) == 0)
            return domain->reads[i].slot;
    return MR_SLOT_NONE;
}

const struct mr_edit *mr_topology_fixture_edit(const struct mr_layout *layout, const char *name)
{
    for (uint32_t i = 0; i < layout->edits_count; i++)
        if (strcmp(layout->edits[i].name, name) == 0)
            return &layout->edits[i];
    return NULL;
}
