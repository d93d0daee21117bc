/* cli/cluster_top.c — `millrace top`: topologies and workers with their rates, drawn anew each
 * second on a terminal until q is pressed; elsewhere two samples and one text.
 * Rates are the difference of two samples' counts; counts begin anew when tasks move, which gives
 * no rate for that moment. */
#include "cli/cluster.h"

#include "base/clock.h"
#include "cli/kafka_access.h"

#include <inttypes.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { SAMPLE_MS = 1000, OUTPUT_BYTES = 1 << 20, ROWS_DEFAULT = 24, ROWS_OTHER = 8, ROWS_MIN = 3 };

struct sample {
    struct mr_answer topologies;
    struct mr_answer workers;
    uint64_t taken_ms;
    bool taken;
};

struct top {
    struct mr_server *server;
    struct sample samples[2]; /* the last one and the one before */
    uint32_t newest;
    uint32_t rows_max; /* of the list of topologies; 0: all */
    struct termios terminal_before;
    bool raw;
};

static void free_sample(struct sample *sample)
{
    if (!sample->taken)
        return;
    mr_answer_free(&sample->topologies);
    mr_answer_free(&sample->workers);
    sample->taken = false;
}

static enum mr_exit take_sample(struct top *top)
{
    struct sample *sample = &top->samples[1 - top->newest];
    free_sample(sample);
    enum mr_exit code = mr_server_get(top->server, "/v1/topologies", &sample->topologies);
    if (code != MR_EXIT_FINE)
        return code;
    code = mr_server_get(top->server, "/v1/workers", &sample->workers);
    if (code != MR_EXIT_FINE) {
        mr_answer_free(&sample->topologies);
        return code;
    }
    sample->taken = true;
    sample->taken_ms = mr_clock_monotonic_ms();
    top->newest = 1 - top->newest;
    return MR_EXIT_FINE;
}

static const json_t *find_named(const json_t *list, const char *name)
{
    for (size_t index = 0; index < json_array_size(list); index++) {
        const char *other = mr_json_text(json_array_get(list, index), "name");
        if (other != NULL && name != NULL && strcmp(other, name) == 0)
            return json_array_get(list, index);
    }
    return NULL;
}

/* Records per second of a topology; -1: not known. */
static int64_t rate_of(const struct top *top, const json_t *topology, const char *member)
{
    const struct sample *now = &top->samples[top->newest];
    const struct sample *before = &top->samples[1 - top->newest];
    if (!before->taken || before->taken_ms >= now->taken_ms)
        return -1;
    const json_t *earlier = find_named(mr_json_list(before->topologies.json, "topologies"),
                                       mr_json_text(topology, "name"));
    int64_t from = mr_json_integer(earlier, member, -1);
    int64_t to = mr_json_integer(topology, member, -1);
    if (from < 0 || to < from)
        return -1;
    return (to - from) * 1000 / (int64_t)(now->taken_ms - before->taken_ms);
}

static void add_rate(const struct top *top, struct mr_table *table, const json_t *topology,
                     const char *member)
{
    int64_t rate = rate_of(top, topology, member);
    mr_table_text(table, rate < 0 ? "?" : mr_text_count(table->arena, rate));
}

static void print_topologies(const struct top *top, struct mr_arena *arena)
{
    static const struct mr_table_column columns[] = {
        {"TOPOLOGY", false}, {"HEALTH", false}, {"TASKS", true},   {"IN/S", true},
        {"OUT/S", true},     {"LAG", true},     {"REASON", false}, {NULL, false}};
    struct mr_server *server = top->server;
    const json_t *list = mr_json_list(top->samples[top->newest].topologies.json, "topologies");
    size_t count = json_array_size(list);
    size_t shown = top->rows_max > 0 && count > top->rows_max ? top->rows_max : count;
    struct mr_table table;
    mr_table_init(&table, arena, columns);
    for (size_t index = 0; index < shown; index++) {
        const json_t *topology = json_array_get(list, index);
        const char *reason = mr_json_text(topology, "reason");
        mr_table_text(&table, mr_json_text(topology, "name"));
        mr_table_text(&table, mr_json_text(topology, "health"));
        mr_table_text(&table, mr_arena_format(arena, "%s/%s",
                                              mr_cluster_count(server, topology, "tasks_running"),
                                              mr_cluster_count(server, topology, "tasks")));
        add_rate(top, &table, topology, "input_records");
        add_rate(top, &table, topology, "output_records");
        mr_table_text(&table, mr_cluster_count(server, topology, "lag"));
        mr_table_text(&table, reason != NULL ? reason : mr_json_text(topology, "warning"));
    }
    mr_table_print(&table, stdout);
    mr_table_deinit(&table);
    if (count == 0)
        puts("no topologies");
    if (shown < count)
        printf("and %zu more\n", count - shown);
}

static void print_workers(const struct top *top, struct mr_arena *arena)
{
    static const struct mr_table_column columns[] = {
        {"WORKER", false}, {"STATE", false}, {"TASKS", true}, {"STANDBYS", true},
        {"LOAD", true},    {"HEARD", false}, {NULL, false}};
    struct mr_server *server = top->server;
    const json_t *list = mr_json_list(top->samples[top->newest].workers.json, "workers");
    struct mr_table table;
    mr_table_init(&table, arena, columns);
    for (size_t index = 0; index < json_array_size(list); index++) {
        const json_t *worker = json_array_get(list, index);
        mr_table_text(&table, mr_json_text(worker, "name"));
        mr_table_text(&table, mr_json_text(worker, "state"));
        mr_table_text(&table, mr_cluster_count(server, worker, "active_tasks"));
        mr_table_text(&table, mr_cluster_count(server, worker, "standby_tasks"));
        mr_table_text(&table, mr_arena_format(arena, "%.2f cores",
                                              (double)mr_json_integer(worker, "load_us", 0) / 1e6));
        mr_table_text(&table, mr_text_ago(arena, 0, mr_json_integer(worker, "silent_ms", 0)));
    }
    mr_table_print(&table, stdout);
    mr_table_deinit(&table);
    if (json_array_size(list) == 0)
        puts("no workers");
}

static void print_all(const struct top *top)
{
    print_topologies(top, &top->server->arena);
    puts("");
    print_workers(top, &top->server->arena);
}

static void print_json(const struct top *top)
{
    const struct sample *sample = &top->samples[top->newest];
    const json_t *list = mr_json_list(sample->topologies.json, "topologies");
    json_t *topologies = json_array();
    for (size_t index = 0; index < json_array_size(list); index++) {
        json_t *one = json_copy(json_array_get(list, index));
        int64_t in = rate_of(top, one, "input_records");
        int64_t out = rate_of(top, one, "output_records");
        (void)json_object_set_new(one, "input_rate", in < 0 ? json_null() : json_integer(in));
        (void)json_object_set_new(one, "output_rate", out < 0 ? json_null() : json_integer(out));
        (void)json_array_append_new(topologies, one);
    }
    json_t *workers = json_object_get(sample->workers.json, "workers");
    json_t *root = json_pack("{s:o, s:O}", "topologies", topologies, "workers", workers);
    (void)json_dumpf(root, stdout, JSON_COMPACT);
    puts("");
    json_decref(root);
}

/* ---- On a terminal ---- */

static void enter(struct top *top)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &top->terminal_before) == 0) {
        raw = top->terminal_before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        top->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    (void)fputs("\033[?1049h\033[?25l", stdout); /* another screen, no cursor */
}

static void leave(const struct top *top)
{
    (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
    if (top->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->terminal_before);
}

/* Wait for the next sample's time. False: the user wants to go. */
static bool wait_key(void)
{
    struct pollfd poll_one = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = '\0';
    uint64_t until_ms = mr_clock_monotonic_ms() + SAMPLE_MS;
    for (uint64_t now_ms = until_ms - SAMPLE_MS; now_ms < until_ms && !mr_stop_signalled();
         now_ms = mr_clock_monotonic_ms()) {
        if (poll(&poll_one, 1, (int)(until_ms - now_ms)) <= 0)
            continue;
        ssize_t size = read(STDIN_FILENO, &key, 1);
        if (size <= 0 || key == 'q' || key == 'Q' || key == 4)
            return false;
    }
    return !mr_stop_signalled();
}

static uint32_t rows_for_topologies(const struct top *top)
{
    struct winsize size;
    size_t workers =
        json_array_size(mr_json_list(top->samples[top->newest].workers.json, "workers"));
    uint32_t rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
                                                                                    : ROWS_DEFAULT;
    uint64_t taken = ROWS_OTHER + workers;
    return rows > taken + ROWS_MIN ? (uint32_t)(rows - taken) : ROWS_MIN;
}

static void draw(struct top *top)
{
    char time[MR_CLOCK_TEXT_SIZE];
    (void)mr_clock_format_rfc3339(mr_clock_wall_ms() / 1000 * 1000, time);
    top->rows_max = rows_for_topologies(top);
    printf("\033[H\033[J%s  %s  (q ends)\n\n", top->server->urls[top->server->current], time);
    print_all(top);
    (void)fflush(stdout);
}

static enum mr_exit watch(struct top *top)
{
    enum mr_exit code = take_sample(top);
    if (code != MR_EXIT_FINE)
        return code;
    mr_catch_stop_signals();
    enter(top);
    do {
        struct mr_arena *arena = &top->server->arena;
        struct mr_arena kept = *arena; /* a frame's texts go with it */
        mr_arena_init(arena, OUTPUT_BYTES >> 4);
        if (top->samples[top->newest].taken)
            draw(top);
        mr_arena_deinit(arena);
        *arena = kept;
        if (!wait_key())
            break;
        code = take_sample(top);
    } while (code == MR_EXIT_FINE || code == MR_EXIT_UNREACHED);
    leave(top);
    return code == MR_EXIT_UNREACHED ? MR_EXIT_FINE : code;
}

static enum mr_exit print_once(struct top *top)
{
    enum mr_exit code = take_sample(top);
    if (code != MR_EXIT_FINE)
        return code;
    mr_clock_sleep_ms(SAMPLE_MS);
    code = take_sample(top);
    if (code != MR_EXIT_FINE)
        return code;
    if (top->server->json)
        print_json(top);
    else
        print_all(top);
    return MR_EXIT_FINE;
}

static enum mr_exit top(struct mr_server *server, const struct mr_arguments *arguments)
{
    struct top top = {.server = server};
    (void)arguments;
    bool live = !server->json && isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1;
    enum mr_exit code = live ? watch(&top) : print_once(&top);
    free_sample(&top.samples[0]);
    free_sample(&top.samples[1]);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    return mr_cluster_run(arguments, top);
}

static const struct mr_flag flags[] = {MR_FLAG_OUTPUT, MR_FLAGS_SERVER, {.name = NULL}};

const struct mr_command mr_command_top = {
    .name = "top",
    .operands = "",
    .summary = "Watch topologies and workers with their rates; q ends.",
    .description = "When standard output is no terminal it prints two samples' rates once.",
    .flags = flags,
    .run = run};
