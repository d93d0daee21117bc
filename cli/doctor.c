/* cli/doctor.c — `millrace doctor`: are this machine, the Kafka and the coordinators named fit?
 * Each finding is one line: what was looked at, what was found; below it what to do when it is not
 * right. */
#include "cli/doctor.h"

#include "base/memory.h"
#include "cli/budget.h"
#include "cli/cluster.h"
#include "cli/kafka_access.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    FOUND_BYTES_MAX = MR_ERROR_MESSAGE_SIZE + 512,
    FREE_BYTES_MIN = 1 << 30,
    FILES_MIN = 4096
};

void mr_examination_tell(struct mr_examination *examination, enum mr_verdict verdict,
                         const char *check, const char *remedy, const char *found, ...)
{
    static const char *const names[] = {"ok     ", "warning", "wrong  "};
    char text[FOUND_BYTES_MAX];
    va_list arguments;
    va_start(arguments, found);
    (void)vsnprintf(text, sizeof text, found, arguments);
    va_end(arguments);
    examination->wrong_count += verdict == MR_VERDICT_WRONG;
    examination->warnings_count += verdict == MR_VERDICT_WARNING;
    if (!examination->silent) {
        printf("%s  %-42s ", names[verdict], check);
        mr_text_write(stdout, mr_slice_text(text));
        printf("\n%s%s%s", remedy == NULL ? "" : "         ", remedy == NULL ? "" : remedy,
               remedy == NULL ? "" : "\n");
        (void)fflush(stdout);
    }
    if (examination->findings_count == MR_FINDINGS_MAX) {
        examination->left_out_count++;
        return;
    }
    examination->findings[examination->findings_count++] =
        (struct mr_health_finding){.verdict = verdict,
                                   .check = check,
                                   .found = mr_arena_copy_text(&examination->arena, text),
                                   .remedy = remedy};
}

static void check_machine(struct mr_examination *examination, const char *state_directory)
{
    struct rlimit files;
    struct statvfs disk;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        bool few = files.rlim_cur < FILES_MIN;
        mr_examination_tell(examination, few ? MR_VERDICT_WARNING : MR_VERDICT_FINE, "open files",
                            few ? "RocksDB opens many; raise it with `ulimit -n 65536`." : NULL,
                            "%" PRIu64, (uint64_t)files.rlim_cur);
    }
    if (statvfs(state_directory, &disk) != 0) {
        mr_examination_tell(examination, MR_VERDICT_FINE, "state directory", NULL,
                            "%s does not exist yet; `run` creates it", state_directory);
        return;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    bool writable = access(state_directory, W_OK) == 0;
    bool tight = free_bytes < FREE_BYTES_MIN;
    mr_examination_tell(examination,
                        !writable ? MR_VERDICT_WRONG
                        : tight   ? MR_VERDICT_WARNING
                                  : MR_VERDICT_FINE,
                        "state directory",
                        !writable ? "Make it writable for this user, or name another with "
                                    "--state-dir."
                        : tight   ? "Free some room: RocksDB stops when the disk is full."
                                  : NULL,
                        "%s: %" PRIu64 " MiB free%s", state_directory, free_bytes >> 20,
                        writable ? "" : ", not writable for this user");
}

/* What a worker would take here without --memory and --threads. */
static void check_budget(struct mr_examination *examination)
{
    struct mr_budget budget;
    struct mr_error error;
    if (mr_budget_find("", 0, 0, &budget, &error) != MR_OK) {
        mr_examination_tell(examination, MR_VERDICT_WRONG, "a worker's memory and threads",
                            "Raise the container's limit, or give --memory and --threads.", "%s",
                            error.message);
        return;
    }
    mr_examination_tell(examination, MR_VERDICT_FINE, "a worker's memory", NULL,
                        "%" PRIu64 " MiB (%s)", budget.memory_bytes >> 20, budget.memory_from);
    mr_examination_tell(examination, MR_VERDICT_FINE, "a worker's task threads", NULL,
                        "%" PRIu32 " (%s)", budget.threads_count, budget.threads_from);
}

/* Returns USAGE for flags that cannot be used. */
static enum mr_exit check_kafka(struct mr_examination *examination,
                                const struct mr_arguments *arguments)
{
    struct mr_kafka_access access;
    enum mr_exit code = mr_kafka_access_open(&access, arguments, "millrace-doctor");
    if (code == MR_EXIT_FINE)
        mr_examine_kafka(examination, access.log, access.cluster);
    mr_kafka_access_close(&access);
    return code;
}

void mr_examine_coordinator(struct mr_examination *examination,
                            const struct mr_arguments *arguments)
{
    struct mr_server server;
    struct mr_answer answer;
    enum mr_exit code = mr_server_open(&server, arguments);
    server.json = false; /* the findings are the output */
    if (code == MR_EXIT_FINE)
        code = mr_server_get(&server, "/v1/leader", &answer);
    if (code != MR_EXIT_FINE) {
        examination->unreached = examination->unreached || code == MR_EXIT_UNREACHED;
        mr_examination_tell(examination, MR_VERDICT_WRONG, "coordinator",
                            "Start millrace-coordinator, or correct --server.",
                            "no answer that can be used: see above");
    } else {
        const char *url = server.urls[server.current];
        const char *http = mr_json_text(answer.json, "http");
        const char *term = mr_json_text(answer.json, "term");
        if (term == NULL)
            term = mr_cluster_count(&server, answer.json, "term");
        if (http == NULL)
            mr_examination_tell(examination, MR_VERDICT_WRONG, "coordinator",
                                "An election takes some seconds; after that look at the "
                                "coordinators' logs: they need Kafka.",
                                "%s answers, but no coordinator leads", url);
        else
            mr_examination_tell(examination, MR_VERDICT_FINE, "coordinator", NULL,
                                "%s answers; %s leads in term %s", url, http,
                                term == NULL ? "?" : term);
        mr_answer_free(&answer);
    }
    mr_server_close(&server);
}

static void print_json(const struct mr_examination *examination)
{
    static const char *const names[] = {"ok", "warning", "wrong"};
    json_t *list = json_array();
    for (uint32_t index = 0; index < examination->findings_count; index++) {
        const struct mr_health_finding *finding = &examination->findings[index];
        json_t *one = json_object();
        (void)json_object_set_new(one, "verdict", json_string(names[finding->verdict]));
        (void)json_object_set_new(one, "check", json_string(finding->check));
        (void)json_object_set_new(one, "found", json_string(finding->found));
        (void)json_object_set_new(
            one, "remedy", finding->remedy == NULL ? json_null() : json_string(finding->remedy));
        (void)json_array_append_new(list, one);
    }
    json_t *root = json_object();
    (void)json_object_set_new(root, "wrong", json_integer(examination->wrong_count));
    (void)json_object_set_new(root, "warnings", json_integer(examination->warnings_count));
    (void)json_object_set_new(root, "left_out", json_integer(examination->left_out_count));
    (void)json_object_set_new(root, "findings", list);
    (void)json_dumpf(root, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    json_decref(root);
}

static enum mr_exit examine(struct mr_examination *examination,
                            const struct mr_arguments *arguments)
{
    const struct mr_flag_value *directory = mr_arguments_flag(arguments, "state-dir");
    check_machine(examination, directory->count > 0 ? directory->text : "millrace-state");
    check_budget(examination);
    if (mr_access_text(arguments, "brokers", "MILLRACE_BROKERS", NULL) != NULL) {
        enum mr_exit code = check_kafka(examination, arguments);
        if (code != MR_EXIT_FINE)
            return code;
    } else if (!examination->silent) {
        printf("         Kafka was not looked at: give --brokers HOST:PORT\n");
    }
    if (mr_access_text(arguments, "server", "MILLRACE_SERVER", NULL) != NULL)
        mr_examine_coordinator(examination, arguments);
    else if (!examination->silent)
        printf("         No coordinator was looked at: give --server URL\n");
    if (examination->silent)
        print_json(examination);
    else
        printf("%u wrong, %s\n", examination->wrong_count,
               mr_text_plural(&examination->arena, examination->warnings_count, "warning"));
    return examination->unreached         ? MR_EXIT_UNREACHED
           : examination->wrong_count > 0 ? MR_EXIT_WRONG
                                          : MR_EXIT_FINE;
}

static enum mr_exit doctor(const struct mr_arguments *arguments)
{
    struct mr_examination *examination = mr_memory_new(1, sizeof *examination);
    mr_arena_init(&examination->arena, ARENA_CHUNK_BYTES);
    examination->silent = mr_arguments_flag(arguments, "output")->integer == MR_OUTPUT_JSON;
    enum mr_exit code = examine(examination, arguments);
    mr_arena_deinit(&examination->arena);
    mr_memory_free(examination);
    return code;
}

static const struct mr_flag doctor_flags[] = {
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = "state-dir",
     .kind = MR_FLAG_TEXT,
     .value = "DIR",
     .help = "Where state is kept (default ./millrace-state)."},
    MR_FLAGS_SERVER,
    MR_FLAG_OUTPUT,
    {.name = NULL}};

const struct mr_command mr_command_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "Examine this machine, a Kafka cluster and the coordinators.",
    .description = "Kafka is looked at with --brokers, a coordinator with --server. Exit code 1 "
                   "when something is wrong, 3 when Kafka or\nthe coordinator does not answer; "
                   "warnings leave it 0.",
    .flags = doctor_flags,
    .run = doctor,
};
