/* tests/sim/main.c — runs seeds: `simulation --first S --seeds N [--rule R] [--mutation M]
 * [--replay SEED]`, or of a large cluster (scale.h): `--scale WORKERS --tasks N`.
 * Prints one line for every seed that shows a fault, and a summary. Exit code 0: none did, or with
 * --expect-violation one did (for mutations, which switch a guard off). A crash
 * of the simulation itself (a wild pointer in the code under test) is reported with its seed, too.
 */
#include "tests/sim/mutation.h"
#include "tests/sim/rule.h"
#include "tests/sim/scale.h"
#include "tests/sim/scenario.h"
#include "tests/sim/workload.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIGNAL_STACK_BYTES = 64 << 10, SEED_SECONDS_MAX = 60, SCALE_SECONDS_MAX = 1800 };

static struct {
    uint64_t first;
    uint64_t seeds;
    uint64_t stop_after; /* violations */
    const char *mutation;
    const struct sim_rule *rule;
    bool trace;
    bool twice;             /* run every seed twice and compare */
    bool wanted;            /* a violation is what should be found */
    struct sim_scale scale; /* no workers: a small cluster */
} options = {.first = 1, .seeds = 100, .stop_after = 10, .rule = &sim_rule_director};

static volatile uint64_t running_seed;

static void on_crash(int number)
{
    char text[128];
    int size =
        snprintf(text, sizeof text, "seed %" PRIu64 ": violation: the process crashed (%s)\n",
                 (uint64_t)running_seed, number == SIGALRM ? "no end in sight" : strsignal(number));
    if (write(STDOUT_FILENO, text, (size_t)size) < 0)
        _exit(3);
    _exit(options.wanted && number != SIGALRM ? 0 : 2); /* what a missing guard leads to, too */
}

static void catch_crashes(void)
{
    static char memory[SIGNAL_STACK_BYTES];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    (void)sigaltstack(&stack, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
#if !defined(__SANITIZE_ADDRESS__)
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGILL, &action, NULL);
    (void)sigaction(SIGABRT, &action, NULL);
#endif
}

static uint64_t number_of(const char *text)
{
    return strtoull(text, NULL, 10);
}

static bool set_rule(const char *name)
{
    const struct sim_rule *const rules[] = {&sim_rule_director, &sim_rule_cluster};
    for (size_t index = 0; index < sizeof rules / sizeof rules[0]; index++)
        if (strcmp(rules[index]->name, name) == 0) {
            options.rule = rules[index];
            return true;
        }
    return false;
}

static bool parse(int count, char **words)
{
    for (int index = 1; index < count; index++) {
        const char *word = words[index];
        const char *value = index + 1 < count ? words[index + 1] : NULL;
        if (strcmp(word, "--twice") == 0) {
            options.twice = true;
            continue;
        }
        if (strcmp(word, "--expect-violation") == 0) {
            options.wanted = true;
            options.stop_after = 1;
            continue;
        }
        if (value == NULL)
            return false;
        index++;
        if (strcmp(word, "--first") == 0) {
            options.first = number_of(value);
        } else if (strcmp(word, "--seeds") == 0) {
            options.seeds = number_of(value);
        } else if (strcmp(word, "--stop-after") == 0) {
            options.stop_after = number_of(value);
        } else if (strcmp(word, "--mutation") == 0) {
            options.mutation = value;
        } else if (strcmp(word, "--scale") == 0) {
            options.scale.workers_count = (uint32_t)number_of(value);
        } else if (strcmp(word, "--tasks") == 0) {
            options.scale.tasks_count = (uint32_t)number_of(value);
        } else if (strcmp(word, "--rule") == 0) {
            if (!set_rule(value))
                return false;
        } else if (strcmp(word, "--replay") == 0) {
            options.first = number_of(value);
            options.seeds = 1;
            options.trace = true;
        } else {
            return false;
        }
    }
    return options.scale.workers_count <= SIM_SCALE_WORKERS_MAX &&
           options.scale.tasks_count <= SIM_SCALE_TASKS_MAX &&
           (options.scale.workers_count > 0) == (options.scale.tasks_count > 0) &&
           sim_mutation_set(options.mutation);
}

static void run_once(const struct sim_options *run, struct sim_verdict *verdict)
{
    bool large = options.scale.workers_count > 0;
    (void)alarm(large ? SCALE_SECONDS_MAX : SEED_SECONDS_MAX);
    if (large)
        sim_scale_run(run, &options.scale, options.seeds == 1, verdict);
    else
        sim_scenario_run(run, verdict);
}

static struct sim_verdict run_seed(uint64_t seed)
{
    struct sim_verdict verdict;
    struct sim_options run = {.seed = seed, .rule = options.rule, .trace = options.trace};
    running_seed = seed;
    run_once(&run, &verdict);
    if (options.twice && !verdict.violated) {
        struct sim_verdict again;
        run_once(&run, &again);
        if (again.hash != verdict.hash || again.events_count != verdict.events_count) {
            verdict.violated = true;
            (void)snprintf(verdict.text, sizeof verdict.text,
                           "a second run of the seed differs: %016" PRIx64 " and %016" PRIx64
                           " (%" PRIu64 " and %" PRIu64 " events)",
                           verdict.hash, again.hash, verdict.events_count, again.events_count);
        }
    }
    (void)alarm(0);
    return verdict;
}

int main(int count, char **words)
{
    if (!parse(count, words)) {
        (void)fprintf(stderr,
                      "usage: simulation [--first SEED] [--seeds N] [--rule director|cluster] "
                      "[--mutation NAME] "
                      "[--stop-after N] [--twice] [--expect-violation] "
                      "[--scale WORKERS --tasks N] "
                      "[--replay SEED]\n");
        return 64;
    }
    if (!sim_workload_plan())
        return 1;
    catch_crashes();
    uint64_t violations = 0;
    uint64_t events = 0;
    uint64_t done = 0;
    uint64_t hash = 0;
    uint64_t owned_ns = 0;
    uint64_t owned_seed = 0;
    while (done < options.seeds && violations < options.stop_after) {
        struct sim_verdict verdict = run_seed(options.first + done);
        done++;
        events += verdict.events_count;
        hash = hash * 31 + verdict.hash;
        if (verdict.owned_ns > owned_ns) {
            owned_ns = verdict.owned_ns;
            owned_seed = options.first + done - 1;
        }
        if (!verdict.violated)
            continue;
        violations++;
        (void)printf("seed %" PRIu64 ": violation: %s\n", options.first + done - 1, verdict.text);
        (void)fflush(stdout);
    }
    (void)printf("seeds %" PRIu64 " events %" PRIu64 " violations %" PRIu64 " hash %016" PRIx64
                 "\n",
                 done, events, violations, hash);
    (void)printf("longest until every task ran: %.1f s after the last fault (seed %" PRIu64 ")\n",
                 (double)owned_ns / 1e9, owned_seed);
    return (violations > 0) == options.wanted ? 0 : 1;
}
