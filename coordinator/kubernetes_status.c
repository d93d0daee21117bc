/* coordinator/kubernetes_status.c — see kubernetes_status.h. */
#include "coordinator/kubernetes_status.h"

#include "base/assert.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>

enum { NAME_SIZE = 32, SUMMARY_SIZE = 64 };

static void set(json_t *object, const char *name, json_t *value)
{
    int failed = json_object_set_new(object, name, value);
    MR_ASSERT(failed == 0);
}

/* "running" as "Running": reasons of conditions are words like that. */
static const char *capital(const char *text, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s", text);
    name[0] = (char)toupper((uint8_t)name[0]);
    return name;
}

static const char *health_of(const struct mr_kubernetes_facts *facts, char name[NAME_SIZE])
{
    const char *health = json_string_value(json_object_get(facts->topology, "health"));
    if (facts->deleting)
        return "Deleting";
    if (health != NULL)
        return capital(health, name);
    return facts->verdict == MR_VERDICT_INVALID || facts->verdict == MR_VERDICT_CONFLICT
               ? "Refused"
               : "Starting";
}

/* ---- Conditions ---- */

static const json_t *find_condition(const json_t *status, const char *type)
{
    const json_t *conditions = json_object_get(status, "conditions");
    for (size_t index = 0; index < json_array_size(conditions); index++) {
        const json_t *condition = json_array_get(conditions, index);
        const char *name = json_string_value(json_object_get(condition, "type"));
        if (name != NULL && strcmp(name, type) == 0)
            return condition;
    }
    return NULL;
}

static void add_condition(json_t *conditions, const struct mr_kubernetes_facts *facts,
                          const json_t *before, const char *type, const char *status,
                          const char *reason, const char *message)
{
    char now[MR_CLOCK_TEXT_SIZE];
    const json_t *known = find_condition(before, type);
    const char *known_status = json_string_value(json_object_get(known, "status"));
    const char *since = json_string_value(json_object_get(known, "lastTransitionTime"));
    (void)mr_clock_format_rfc3339(facts->wall_ms / 1000 * 1000, now);
    if (known_status == NULL || strcmp(known_status, status) != 0 || since == NULL)
        since = now;
    json_t *condition =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "reason", reason,
                  "message", message != NULL ? message : "", "lastTransitionTime", since);
    MR_ASSERT(condition != NULL);
    if (facts->generation > 0)
        set(condition, "observedGeneration", json_integer(facts->generation));
    (void)json_array_append_new(conditions, condition);
}

static void add_accepted(json_t *conditions, const struct mr_kubernetes_facts *facts,
                         const json_t *before)
{
    static const struct {
        const char *status;
        const char *reason;
    } words[] = {
        [MR_VERDICT_NONE] = {"Unknown", "Pending"},  [MR_VERDICT_ACCEPTED] = {"True", "Accepted"},
        [MR_VERDICT_INVALID] = {"False", "Invalid"}, [MR_VERDICT_CONFLICT] = {"False", "Conflict"},
        [MR_VERDICT_LATER] = {"Unknown", "Pending"},
    };
    add_condition(conditions, facts, before, "Accepted", words[facts->verdict].status,
                  words[facts->verdict].reason, facts->message);
}

static json_t *conditions_of(const struct mr_kubernetes_facts *facts, const json_t *before)
{
    char name[NAME_SIZE];
    json_t *conditions = json_array();
    const char *health = health_of(facts, name);
    const char *reason = json_string_value(json_object_get(facts->topology, "reason"));
    json_int_t total = json_integer_value(json_object_get(facts->topology, "tasks"));
    json_int_t running = json_integer_value(json_object_get(facts->topology, "tasks_running"));
    json_int_t restoring = json_integer_value(json_object_get(facts->topology, "tasks_restoring"));
    bool ready = strcmp(health, "Running") == 0 && running == total && total > 0;
    add_accepted(conditions, facts, before);
    add_condition(conditions, facts, before, "Ready", ready ? "True" : "False",
                  restoring > 0 ? "Restoring" : health, reason);
    add_condition(conditions, facts, before, "Restoring", restoring > 0 ? "True" : "False",
                  restoring > 0 ? "Restoring" : "Restored", NULL);
    return conditions;
}

/* ---- The rest ---- */

static json_t *tasks_of(const json_t *topology)
{
    char summary[SUMMARY_SIZE];
    json_int_t total = json_integer_value(json_object_get(topology, "tasks"));
    json_int_t running = json_integer_value(json_object_get(topology, "tasks_running"));
    json_int_t restoring = json_integer_value(json_object_get(topology, "tasks_restoring"));
    (void)snprintf(summary, sizeof(summary), "%lld/%lld", (long long)running, (long long)total);
    return json_pack("{s:s, s:I, s:I, s:I}", "summary", summary, "total", total, "running", running,
                     "restoring", restoring);
}

json_t *mr_kubernetes_status(const struct mr_kubernetes_facts *facts, const json_t *before)
{
    char name[NAME_SIZE];
    json_t *status = json_object();
    const char *health = health_of(facts, name);
    const char *reason = json_string_value(json_object_get(facts->topology, "reason"));
    const char *warning = json_string_value(json_object_get(facts->topology, "warning"));
    const char *problem = facts->verdict != MR_VERDICT_ACCEPTED ? facts->message : NULL;
    if (problem == NULL && strcmp(health, "Failed") == 0)
        problem = reason;
    if (problem == NULL)
        problem = warning;
    set(status, "cluster", json_string(facts->cluster));
    set(status, "state", json_string(health));
    set(status, "conditions", conditions_of(facts, before));
    if (facts->generation > 0)
        set(status, "observedGeneration", json_integer(facts->generation));
    if (reason != NULL)
        set(status, "reason", json_string(reason));
    if (problem != NULL)
        set(status, "lastError", json_string(problem));
    if (json_array_size(facts->findings) > 0)
        set(status, "findings", json_deep_copy(facts->findings));
    if (facts->topology == NULL)
        return status;
    const json_t *lag = json_object_get(facts->topology, "lag");
    set(status, "version",
        json_integer(json_integer_value(json_object_get(facts->topology, "version"))));
    set(status, "tasks", tasks_of(facts->topology));
    if (json_is_integer(lag))
        set(status, "lag", json_integer(json_integer_value(lag)));
    return status;
}

/* ---- Comparing ---- */

/* Without what changes from second to second while nothing happens: counts and sentences. */
static json_t *essence_of(const json_t *status)
{
    json_t *essence = status != NULL ? json_deep_copy(status) : json_object();
    const json_t *conditions = json_object_get(essence, "conditions");
    (void)json_object_del(essence, "lag");
    (void)json_object_del(essence, "reason");
    for (size_t index = 0; index < json_array_size(conditions); index++)
        (void)json_object_del(json_array_get(conditions, index), "message");
    return essence;
}

enum mr_kubernetes_change mr_kubernetes_status_change(const json_t *before, const json_t *after)
{
    if (before != NULL && json_equal(before, after) != 0)
        return MR_STATUS_SAME;
    json_t *left = essence_of(before);
    json_t *right = essence_of(after);
    bool same = json_equal(left, right) != 0;
    json_decref(left);
    json_decref(right);
    return same ? MR_STATUS_DETAIL : MR_STATUS_OTHER;
}

json_t *mr_kubernetes_status_patch(const json_t *before, const json_t *after)
{
    json_t *patch = json_copy((json_t *)(uintptr_t)after);
    const char *key;
    json_t *value;
    json_t *iterated = (json_t *)(uintptr_t)before; /* jansson's iterator wants no const */
    json_object_foreach(iterated, key, value) if (json_object_get(after, key) == NULL)
        set(patch, key, json_null());
    return patch;
}
