/* cli/generators.c — see generators.h. */
#include "cli/generators.h"

#include "base/log.h"
#include "base/memory.h"
#include "cli/load.h"
#include "cli/settings.h"
#include "operators/sample_model.h"

#include <stdio.h>

enum { ARENA_BYTES = 64 << 10, DOCUMENTS_MAX = 256 };

enum mr_status mr_generators_read_documents(const struct mr_arguments *arguments,
                                            struct mr_arena *arena,
                                            const struct mr_generator_document **documents,
                                            uint32_t *documents_count, struct mr_error *error)
{
    const struct mr_flag_value *flag = mr_arguments_flag(arguments, "websocket-model");
    struct mr_generator_document *read = mr_arena_new(arena, flag->count + 1u, sizeof(*read));
    for (uint32_t index = 0; index < flag->count; index++) {
        read[index].file = flag->texts[index];
        enum mr_status status = mr_load_file(
            arena, flag->texts[index], MR_SAMPLE_DOCUMENT_BYTES_MAX, &read[index].text, error);
        if (status != MR_OK)
            return status;
    }
    *documents = read;
    *documents_count = flag->count;
    return MR_OK;
}

/* ---- millrace run ---- */

struct mr_run_generators {
    struct mr_arena arena;
    struct mr_query_registry *queries;
    struct mr_generator_source source;
    struct mr_generators *service;
    const struct mr_generator_name **names; /* by topology */
    uint32_t *names_count;
    uint32_t topologies_count;
};

static enum mr_status list(void *argument, struct mr_arena *arena,
                           const struct mr_generator_name **names, uint32_t *names_count,
                           struct mr_error *error)
{
    const struct mr_run_generators *generators = argument;
    uint32_t count = 0;
    (void)error;
    for (uint32_t index = 0; index < generators->topologies_count; index++)
        count += generators->names_count[index];
    struct mr_generator_name *all = mr_arena_new(arena, count + 1u, sizeof(*all));
    *names_count = 0;
    for (uint32_t index = 0; index < generators->topologies_count; index++)
        for (uint32_t name = 0; name < generators->names_count[index]; name++)
            all[(*names_count)++] = generators->names[index][name];
    *names = all;
    return MR_OK;
}

static enum mr_status explain(const struct mr_generator_name *name,
                              const struct mr_query_answer *answer, struct mr_error *error)
{
    switch (answer->outcome) {
    case MR_QUERY_NO_KEY:
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_RETRY,
                       "Operator %s of %s has learned nothing yet%s%.100s.", name->node,
                       name->topology, name->key == NULL ? "" : " of the key ",
                       name->key == NULL ? "" : name->key);
    case MR_QUERY_FAILED:
        *error = answer->error;
        return error->status;
    case MR_QUERY_FOUND:
    case MR_QUERY_NO_TOPOLOGY:
    case MR_QUERY_NO_STORE:
    case MR_QUERY_NOT_HERE:
    case MR_QUERY_RESTORING:
    default:
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY,
                       "Operator %s of %s does not answer just now: its task starts, is restored "
                       "or has ended.",
                       name->node, name->topology);
    }
}

static enum mr_status fetch(void *argument, const struct mr_generator_name *name,
                            struct mr_arena *arena, struct mr_slice *document,
                            struct mr_error *error)
{
    const struct mr_run_generators *generators = argument;
    struct mr_buffer buffer;
    struct mr_query_answer answer;
    const char *key = name->key == NULL ? "" : name->key;
    const struct mr_query query = {
        .topology = name->topology,
        .store = name->node,
        .key = mr_slice_text(key),
        .partition = -1,
        .document = &buffer,
        .model_name = mr_arena_format(arena, "%s/%s%s%s", name->topology, name->node,
                                      name->key == NULL ? "" : "/", key)};
    mr_buffer_init(&buffer, MR_SAMPLE_DOCUMENT_BYTES_MAX);
    mr_query_run(generators->queries, &query, arena, &answer);
    enum mr_status status =
        answer.outcome == MR_QUERY_FOUND ? MR_OK : explain(name, &answer, error);
    if (status == MR_OK)
        *document = mr_arena_copy(arena, mr_buffer_view(&buffer));
    mr_buffer_deinit(&buffer);
    return status;
}

static void learn_names(struct mr_run_generators *generators, struct mr_plan *const *plans,
                        uint32_t plans_count)
{
    generators->topologies_count = plans_count;
    generators->names = mr_arena_new(&generators->arena, plans_count, sizeof(*generators->names));
    generators->names_count =
        mr_arena_new(&generators->arena, plans_count, sizeof(*generators->names_count));
    for (uint32_t index = 0; index < plans_count; index++)
        generators->names[index] = mr_generators_of_plan(plans[index], &generators->arena,
                                                         &generators->names_count[index]);
}

static enum mr_status start(const struct mr_arguments *arguments,
                            struct mr_run_generators *generators, struct mr_error *error)
{
    const char *token_file = mr_settings_text(arguments, "websocket-token-file", NULL);
    struct mr_generators_options options = {
        .address = mr_settings_text(arguments, "websocket", NULL),
        .certificate_file = mr_settings_text(arguments, "websocket-certificate", NULL),
        .key_file = mr_settings_text(arguments, "websocket-key", NULL),
        .connections_max = (uint32_t)mr_settings_integer(arguments, "websocket-connections", 0),
        .source = &generators->source};
    enum mr_status status = MR_OK;
    if (token_file != NULL)
        status = mr_settings_secret(token_file, &generators->arena, &options.token, error);
    if (status == MR_OK)
        status = mr_generators_read_documents(arguments, &generators->arena, &options.documents,
                                              &options.documents_count, error);
    return status == MR_OK ? mr_generators_start(&options, &generators->service, error) : status;
}

/* Options of what is not served would have no effect. */
static enum mr_status check_unused(const struct mr_arguments *arguments, struct mr_error *error)
{
    static const char *const names[] = {"websocket-connections", "websocket-model",
                                        "websocket-certificate", "websocket-key",
                                        "websocket-token-file"};
    for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++)
        if (mr_arguments_given(arguments, names[index]))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "--%s has no effect without --websocket HOST[:PORT].", names[index]);
    return MR_OK;
}

enum mr_status mr_run_generators_start(const struct mr_arguments *arguments,
                                       struct mr_plan *const *plans, uint32_t plans_count,
                                       struct mr_query_registry *queries,
                                       struct mr_run_generators **generators,
                                       struct mr_error *error)
{
    *generators = NULL;
    if (!mr_arguments_given(arguments, "websocket"))
        return check_unused(arguments, error);
    struct mr_run_generators *started = mr_memory_new(1, sizeof(*started));
    mr_arena_init(&started->arena, ARENA_BYTES);
    started->queries = queries;
    started->source =
        (struct mr_generator_source){.argument = started, .list = list, .fetch = fetch};
    learn_names(started, plans, plans_count);
    enum mr_status status = start(arguments, started, error);
    if (status != MR_OK) {
        mr_run_generators_stop(started);
        return status;
    }
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", mr_generators_port(started->service));
    MR_LOG_AT(MR_LOG_INFO, "run", MR_LOG_FIELDS("websocket_port", port),
              "generators are served over WebSocket");
    *generators = started;
    return MR_OK;
}

void mr_run_generators_stop(struct mr_run_generators *generators)
{
    if (generators == NULL)
        return;
    mr_generators_stop(generators->service);
    mr_arena_deinit(&generators->arena);
    mr_memory_free(generators);
}
