/* tests/sim/user.c — see user.h.
 * Design: per topology one request is under way at most, the most urgent wish first: what was begun
 * (a submission after a delete) before what is new. A request that was not answered for five
 * seconds is given up: its connection is closed, and what no server has read of it is void. */
#include "tests/sim/user.h"

#include "base/assert.h"
#include "tests/sim/kafka.h"
#include "tests/sim/network.h"
#include "tests/sim/workload_internal.h"

#include <stdio.h>
#include <string.h>

enum wish { NOTHING, SUBMIT, DELETE, RESET, SEEK, ROLLBACK, PAUSE, RESUME };

/* What the user wants of a topology, and has. */
struct order {
    const char *text; /* to be submitted; NULL: nothing */
    bool delete;      /* before it is submitted */
    bool reset;
    bool seek;
    bool rollback;
    bool paused_wanted;
    bool paused;
    bool under_way;
    uint64_t number; /* of the request under way: later answers are void */
    struct mr_http_exchange *exchange;
};

struct request {
    struct order *order; /* NULL: of a worker */
    enum wish wish;
    const struct sim_flow *flow;
    uint64_t number;
    const char *submitted;
    uint32_t drained; /* node + 1 */
    bool undrain;
};

static struct {
    struct sim_process *const *coordinators;
    uint32_t coordinators_count;
    struct order orders[SIM_TOPOLOGIES_MAX];
    bool drained[SIM_NODES_MAX]; /* or perhaps */
    uint64_t numbers;
    bool settled;
    bool leaving;
} user;

/* ---- Answers ---- */

static void fulfil(const struct request *request)
{
    struct order *order = request->order;
    switch (request->wish) {
    case SUBMIT:
        /* What is to be deleted is submitted again afterwards, the same definition, too. */
        if (order->text == request->submitted && !order->delete)
            order->text = NULL;
        break;
    case DELETE:
        order->delete = false;
        break;
    case RESET:
        order->reset = false;
        break;
    case SEEK:
        order->seek = false;
        break;
    case ROLLBACK:
        order->rollback = false;
        break;
    case PAUSE:
    case RESUME:
        order->paused = request->wish == PAUSE;
        break;
    case NOTHING:
        break;
    }
}

/* A delete that was done before; a version that nothing was before; a source that has grown under
 * state, which no new version may follow. */
static bool is_well(const struct request *request, int code)
{
    return (code >= 200 && code < 300) ||
           (request->wish == SUBMIT && code == 422 && request->flow->shape != SIM_STATELESS &&
            request->flow->source->partitions_count > request->flow->partitions_count) ||
           (request->wish == DELETE && code == 404) ||
           (request->wish == ROLLBACK && (code == 404 || code == 409 || code == 422));
}

static void answered(void *argument, int code, struct mr_slice body)
{
    const struct request *request = argument;
    struct order *order = request->order;
    sim_trace("user: answer %d: %.*s", code, (int)(body.size < 8000 ? body.size : 8000),
              (const char *)body.data);
    bool well = is_well(request, code);
    if (request->undrain && (well || code == 404))
        user.drained[request->drained - 1] = false;
    if (order == NULL || order->number != request->number)
        return;
    order->under_way = false;
    if (!well && (code == 400 || code == 422))
        sim_violation("the user was refused with %d: %.*s", code, (int)body.size,
                      (const char *)body.data);
    if (well)
        fulfil(request);
}

/* ---- Requests ---- */

static void send(struct request *request, const char *method, const char *path,
                 struct mr_slice body)
{
    struct sim_process *asked = user.coordinators[sim_random(user.coordinators_count)];
    request->number = ++user.numbers;
    sim_trace("user: %s %s at %s", method, path, asked->name);
    struct mr_http_exchange *exchange =
        sim_http_send(asked, method, path, "application/yaml", body, answered, request);
    if (request->order == NULL)
        return;
    request->order->number = request->number;
    request->order->under_way = true;
    request->order->exchange = exchange;
}

/* People look, too. */
static void look(void)
{
    static const char *const paths[] = {"/v1/tasks",   "/v1/why", "/v1/topologies",
                                        "/v1/workers", "/v1/lag", "/metrics"};
    struct sim_process *asked = user.coordinators[sim_random(user.coordinators_count)];
    (void)sim_http_send(asked, "GET", paths[sim_random(MR_ARRAY_COUNT(paths))], "",
                        (struct mr_slice){0}, answered, sim_new(sizeof(struct request)));
}

static void give_up(void *argument, uint64_t token)
{
    struct order *order = argument;
    if (!order->under_way || order->number != token)
        return;
    order->under_way = false;
    sim_http_abandon(order->exchange);
}

static enum wish next_wish(const struct order *order)
{
    if (order->delete)
        return DELETE;
    if (order->text != NULL)
        return SUBMIT;
    if (order->reset)
        return RESET;
    if (order->seek)
        return SEEK;
    if (order->rollback)
        return ROLLBACK;
    if (order->paused != order->paused_wanted)
        return order->paused_wanted ? PAUSE : RESUME;
    return NOTHING;
}

static void order_one(uint32_t index)
{
    static const char *const names[] = {[RESET] = "reset",
                                        [SEEK] = "seek",
                                        [ROLLBACK] = "rollback",
                                        [PAUSE] = "pause",
                                        [RESUME] = "resume"};
    struct order *order = &user.orders[index];
    struct sim_flow *flow = &sim_workload.flows[index];
    char path[96];
    enum wish wish = order->under_way ? NOTHING : next_wish(order);
    if (wish == NOTHING)
        return;
    struct request *request = sim_new(sizeof *request);
    *request =
        (struct request){.order = order, .wish = wish, .flow = flow, .submitted = order->text};
    if (wish == DELETE || wish == RESET)
        sim_workload_begins_anew(flow);
    if (wish == SUBMIT) {
        send(request, "POST", "/v1/topologies", mr_slice_text(order->text));
    } else if (wish == DELETE) {
        (void)snprintf(path, sizeof path, "/v1/topologies/%s", flow->plan->name);
        send(request, "DELETE", path, (struct mr_slice){0});
    } else {
        flow->seeks += wish == SEEK;
        (void)snprintf(path, sizeof path, "/v1/topologies/%s/%s", flow->plan->name, names[wish]);
        send(request, "POST", path,
             mr_slice_text(wish == SEEK ? "{\"source\": \"readings\", \"to\": \"earliest\"}" : ""));
    }
    sim_after(5 * SIM_SECOND, NULL, give_up, order, order->number);
}

static void drain(uint32_t node, bool undrain)
{
    char path[96];
    struct request *request = sim_new(sizeof *request);
    request->drained = node + 1;
    request->undrain = undrain;
    user.drained[node] = true;
    (void)snprintf(path, sizeof path, "/v1/workers/%s/%s", sim_cluster.nodes[node].process->name,
                   undrain ? "undrain" : "drain");
    send(request, "POST", path, (struct mr_slice){0});
}

static void turn(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (user.leaving)
        return;
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        order_one(index);
    if (sim_chance(100000))
        look();
    for (uint32_t node = 0; node < sim_cluster.nodes_count && user.settled; node++)
        if (user.drained[node])
            drain(node, true);
    sim_after(sim_between(100 * SIM_MS, 600 * SIM_MS), NULL, turn, NULL, 0);
}

/* ---- Wishes ---- */

void sim_user_fault(void)
{
    uint32_t flow = (uint32_t)sim_random(sim_workload.flows_count);
    struct order *order = &user.orders[flow];
    switch (sim_random(9)) {
    case 0:
        order->text = sim_workload_version(flow);
        break;
    case 1:
        order->rollback = true;
        break;
    case 2:
        order->delete = true;
        order->text = sim_workload_version(flow);
        break;
    case 3:
        order->reset = true;
        break;
    case 4:
        /* Event time stays where it is: what is read again would be late. */
        order->seek = sim_workload.flows[flow].shape != SIM_TICKED &&
                      sim_workload.flows[flow].shape != SIM_SILENT;
        break;
    case 5:
        sim_workload_grow(&sim_workload.flows[flow]);
        break;
    case 6:
        order->paused_wanted = !order->paused_wanted;
        break;
    default:
        drain((uint32_t)sim_random(sim_cluster.nodes_count), sim_chance(500000));
        break;
    }
}

void sim_user_begin(struct sim_process *const *coordinators, uint32_t coordinators_count)
{
    memset(&user, 0, sizeof user);
    user.coordinators = coordinators;
    user.coordinators_count = coordinators_count;
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        user.orders[index].text = sim_workload_version(index);
    sim_after(SIM_SECOND / 10, NULL, turn, NULL, 0);
}

void sim_user_settle(void)
{
    user.settled = true;
    for (uint32_t index = 0; index < sim_workload.flows_count; index++) {
        struct order *order = &user.orders[index];
        order->paused_wanted = false;
        order->paused = true; /* said once more */
        if (order->text == NULL)
            order->text = sim_workload_version(index);
    }
}

bool sim_user_settled(void)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        if (next_wish(&user.orders[index]) != NOTHING)
            return false;
    return true;
}

void sim_user_leave(void)
{
    user.leaving = true;
}

void sim_user_explain(void)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        sim_trace("topology %s: next wish %d, %s", sim_workload.flows[index].plan->name,
                  (int)next_wish(&user.orders[index]),
                  user.orders[index].paused ? "paused" : "not paused");
}
