/* tests/sim/kafka_network.c — connections between clients and the model's brokers.
 * Design: a request's arrival and its answer are one event each. Holds (a cut network, a stalled
 * connection) move the event to the hold's end, which keeps the order of a connection, since events
 * of one time run in the order of their making. Time-outs are watched only for requests that are
 * held or whose broker is away: nothing else takes that long. */
#include "tests/sim/kafka.h"

#include "base/assert.h"

#include <string.h>

struct kafka kafka;

void kafka_begin(void)
{
    memset(&kafka, 0, sizeof kafka);
    kafka.next_producer_id = 1000;
}

uint64_t kafka_delay(void)
{
    const struct kafka_tuning *tuning = &kafka.tuning;
    if (sim_chance(tuning->spike_per_million))
        return sim_between(tuning->delay_max_ns, tuning->spike_ns);
    return sim_between(tuning->delay_min_ns, tuning->delay_max_ns);
}

uint64_t kafka_retry_ns(void)
{
    return sim_between(20 * SIM_MS, 100 * SIM_MS);
}

struct kafka_request *kafka_request_new(const char *name, void (*serve)(struct kafka_request *))
{
    struct kafka_request *request = sim_new(sizeof *request);
    request->name = name;
    request->serve = serve;
    request->order = ++kafka.serial;
    return request;
}

/* ---- Clients ---- */

void kafka_client_open(struct kafka_client *client)
{
    client->process = sim_process_current();
    client->life = client->process->life;
    client->next = kafka.clients;
    kafka.clients = client;
}

static void forget(const struct kafka_client *client)
{
    struct kafka_client **link = &kafka.clients;
    while (*link != NULL && *link != client)
        link = &(*link)->next;
    if (*link != NULL)
        *link = client->next;
}

void kafka_client_close(struct kafka_client *client)
{
    client->closed = true;
    for (uint32_t broker = 0; broker < KAFKA_BROKERS; broker++)
        if (client->connections[broker] != NULL)
            kafka_break(client->connections[broker]);
    forget(client);
}

void kafka_process_ended(struct sim_process *process)
{
    struct kafka_client *client = kafka.clients;
    while (client != NULL) {
        struct kafka_client *next = client->next;
        if (client->process == process)
            kafka_client_close(client);
        client = next;
    }
}

/* ---- Arrival ---- */

static uint64_t latest(uint64_t first, uint64_t second)
{
    return first > second ? first : second;
}

static uint64_t arrival_hold(const struct kafka_connection *connection)
{
    return latest(connection->held_until_ns,
                  kafka.cut_in_until_ns[connection->client->process->index]);
}

static uint64_t answer_hold(const struct kafka_connection *connection)
{
    return kafka.cut_out_until_ns[connection->client->process->index];
}

static void time_out(void *argument, uint64_t token)
{
    struct kafka_request *request = argument;
    MR_UNUSED(token);
    if (request->answered || !request->connection->open)
        return;
    sim_trace("%s: no answer in time", request->name);
    kafka_break(request->connection);
}

static void watch(struct kafka_request *request)
{
    if (request->watched)
        return;
    request->watched = true;
    sim_at(request->sent_ns + kafka.tuning.request_timeout_ns, request->connection->client->process,
           time_out, request, 0);
}

static void arrive(void *argument, uint64_t token)
{
    struct kafka_request *request = argument;
    struct kafka_connection *connection = request->connection;
    MR_UNUSED(token);
    if (request->lost || (request->lurks && token == 0))
        return;
    uint64_t hold_ns = arrival_hold(connection);
    if (hold_ns > sim_now_ns()) {
        sim_at(hold_ns, NULL, arrive, request, token);
        connection->last_arrival_ns = latest(connection->last_arrival_ns, hold_ns);
        watch(request);
        return;
    }
    if (kafka.down_until_ns[connection->broker] > sim_now_ns()) {
        request->lost = true;
        if (connection->open)
            kafka_break(connection);
        return;
    }
    request->served = true;
    sim_trace("kafka%u serves %s of %s%s", connection->broker, request->name,
              connection->client->process->name, connection->open ? "" : " (late)");
    request->serve(request);
}

void kafka_arrive(struct kafka_request *request, uint64_t delay_ns)
{
    sim_after(delay_ns, NULL, arrive, request, 1);
}

bool kafka_send(struct kafka_client *client, uint32_t broker, struct kafka_request *request)
{
    uint64_t now_ns = sim_now_ns();
    struct kafka_connection *connection = client->connections[broker];
    MR_ASSERT(!client->closed);
    if (connection == NULL) {
        uint32_t index = client->process->index;
        if (client->no_connection_before_ns[broker] > now_ns ||
            kafka.down_until_ns[broker] > now_ns || kafka.cut_in_until_ns[index] > now_ns ||
            kafka.cut_out_until_ns[index] > now_ns)
            return false;
        connection = sim_new(sizeof *connection);
        connection->client = client;
        connection->broker = broker;
        connection->open = true;
        client->connections[broker] = connection;
    }
    request->connection = connection;
    request->sent_ns = now_ns;
    if (connection->last == NULL)
        connection->first = request;
    else
        connection->last->next = request;
    connection->last = request;
    connection->last_arrival_ns = latest(connection->last_arrival_ns, now_ns + kafka_delay());
    if (request->serve == kafka_serve_end && sim_chance(kafka.tuning.end_stalls_per_million))
        connection->held_until_ns = now_ns + sim_random(kafka.tuning.late_ns);
    if (request->serve == kafka_serve_init && sim_chance(kafka.tuning.init_stalls_per_million))
        connection->held_until_ns = now_ns + sim_random(kafka.tuning.request_timeout_ns);
    if (request->serve == kafka_serve_init)
        connection->held_until_ns =
            latest(connection->held_until_ns, kafka.inits_held_until_ns[client->process->index]);
    sim_at(connection->last_arrival_ns, NULL, arrive, request, 0);
    return true;
}

/* ---- Answers ---- */

static void unlink_request(struct kafka_connection *connection, const struct kafka_request *request)
{
    struct kafka_request **link = &connection->first;
    struct kafka_request *previous = NULL;
    while (*link != NULL && *link != request) {
        previous = *link;
        link = &(*link)->next;
    }
    if (*link == NULL)
        return;
    *link = request->next;
    if (connection->last == request)
        connection->last = previous;
}

static void answer(void *argument, uint64_t token)
{
    struct kafka_request *request = argument;
    struct kafka_connection *connection = request->connection;
    MR_UNUSED(token);
    if (request->answered)
        return;
    uint64_t hold_ns = answer_hold(connection);
    if (hold_ns > sim_now_ns()) {
        sim_at(hold_ns, connection->client->process, answer, request, 0);
        connection->last_answer_ns = latest(connection->last_answer_ns, hold_ns);
        watch(request);
        return;
    }
    request->answered = true;
    unlink_request(connection, request);
    if (request->answer != NULL)
        request->answer(request);
    sim_wake_all(&request->done);
}

void kafka_respond(struct kafka_request *request, enum kafka_error error)
{
    struct kafka_connection *connection = request->connection;
    if (!connection->open)
        return; /* nobody waits for it */
    request->error = error;
    connection->last_answer_ns = latest(connection->last_answer_ns, sim_now_ns() + kafka_delay());
    sim_at(connection->last_answer_ns, connection->client->process, answer, request, 0);
}

static void answer_broken(void *argument, uint64_t token)
{
    struct kafka_request *request = argument;
    MR_UNUSED(token);
    if (request->connection->client->closed)
        return;
    if (request->answer != NULL)
        request->answer(request);
    sim_wake_all(&request->done);
}

/* KAFKA-17754: a delayed EndTxn decides a later transaction. */
static void lurk(struct kafka_request *request)
{
    if (request->serve != kafka_serve_end || !sim_chance(kafka.tuning.late_per_million))
        return;
    struct kafka_transaction *transaction = kafka_transaction_take(request->text);
    if (transaction->lurking != NULL)
        return;
    request->lurks = true;
    request->connection->held_until_ns = 0;
    transaction->lurking = request;
}

void kafka_break(struct kafka_connection *connection)
{
    struct kafka_client *client = connection->client;
    uint32_t pending = 0;
    if (!connection->open)
        return;
    connection->open = false;
    client->connections[connection->broker] = NULL;
    client->no_connection_before_ns[connection->broker] = sim_now_ns() + kafka_retry_ns();
    for (const struct kafka_request *request = connection->first; request != NULL;
         request = request->next)
        pending += !request->served;
    uint32_t kept = (uint32_t)sim_random(pending + 1);
    if (kept > 0 && sim_chance(kafka.tuning.late_per_million))
        connection->held_until_ns =
            latest(connection->held_until_ns, sim_now_ns() + sim_random(kafka.tuning.late_ns + 1));
    sim_trace("connection to kafka%u breaks, %u of %u requests still arrive", connection->broker,
              kept, pending);
    struct kafka_request *request = connection->first;
    connection->first = NULL;
    connection->last = NULL;
    while (request != NULL) {
        struct kafka_request *next = request->next;
        if (!request->served && kept > 0) {
            kept--;
            lurk(request);
        } else if (!request->served) {
            request->lost = true;
        }
        request->answered = true;
        request->error = KAFKA_BROKEN;
        if (!client->closed)
            sim_after(0, client->process, answer_broken, request, 0);
        request = next;
    }
}

enum mr_status kafka_call(struct kafka_client *client, uint32_t broker,
                          struct kafka_request **request, uint64_t deadline_ns,
                          struct mr_error *error)
{
    const struct kafka_request wanted = **request;
    for (;;) {
        struct kafka_request *tried = *request;
        if (kafka_send(client, broker, tried)) {
            while (!tried->answered && sim_wait(&tried->done, deadline_ns))
                continue;
            if (tried->answered && tried->error != KAFKA_BROKEN)
                return MR_OK;
        }
        if (sim_now_ns() >= deadline_ns)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY, "%s: no answer in time.",
                           wanted.name);
        sim_sleep(kafka_retry_ns());
        *request = sim_new(sizeof **request); /* the first may still arrive */
        **request = wanted;
        (*request)->order = ++kafka.serial;
    }
}

/* ---- Faults ---- */

static struct kafka_connection *random_connection(void)
{
    uint32_t count = 0;
    struct kafka_connection *chosen = NULL;
    for (struct kafka_client *client = kafka.clients; client != NULL; client = client->next)
        for (uint32_t broker = 0; broker < KAFKA_BROKERS; broker++) {
            struct kafka_connection *connection = client->connections[broker];
            if (connection == NULL || connection->first == NULL)
                continue;
            /* Writers' requests are what delays hurt; most waiting requests are fetches. */
            uint32_t weight = strcmp(connection->first->name, "Fetch") == 0 ? 1 : 16;
            count += weight;
            if (sim_random(count) < weight)
                chosen = connection;
        }
    return chosen;
}

void kafka_stall(uint64_t duration_ns)
{
    struct kafka_connection *connection = random_connection();
    if (connection == NULL)
        return;
    sim_trace("fault: a connection of %s (%s) is stalled for %.3f s",
              connection->client->process->name, connection->first->name,
              (double)duration_ns / 1e9);
    connection->held_until_ns = sim_now_ns() + duration_ns;
}

void kafka_break_any(void)
{
    struct kafka_connection *connection = random_connection();
    if (connection != NULL)
        kafka_break(connection);
}

void kafka_cut(struct sim_process *process, bool in, bool out, uint64_t duration_ns)
{
    sim_trace("fault: %s is cut off from Kafka (%s%s) for %.3f s", process->name,
              in ? "requests " : "", out ? "answers" : "", (double)duration_ns / 1e9);
    if (in)
        kafka.cut_in_until_ns[process->index] = sim_now_ns() + duration_ns;
    if (out)
        kafka.cut_out_until_ns[process->index] = sim_now_ns() + duration_ns;
}

void kafka_broker_down(uint32_t broker, uint64_t duration_ns)
{
    sim_trace("fault: kafka%u is down for %.3f s", broker, (double)duration_ns / 1e9);
    kafka.down_until_ns[broker] = sim_now_ns() + duration_ns;
    for (struct kafka_client *client = kafka.clients; client != NULL; client = client->next)
        if (client->connections[broker] != NULL)
            kafka_break(client->connections[broker]);
}

void kafka_hold_markers(uint64_t duration_ns)
{
    sim_trace("fault: markers are held back for %.3f s", (double)duration_ns / 1e9);
    kafka.markers_held_until_ns = sim_now_ns() + duration_ns;
}

void kafka_hold_inits(const struct sim_process *process, uint64_t duration_ns)
{
    sim_trace("fault: initialisations of %s are held back for %.3f s", process->name,
              (double)duration_ns / 1e9);
    kafka.inits_held_until_ns[process->index] = sim_now_ns() + duration_ns;
}

void kafka_heal(void)
{
    for (uint32_t broker = 0; broker < KAFKA_BROKERS; broker++)
        kafka.down_until_ns[broker] = 0;
    for (uint32_t index = 0; index < SIM_PROCESSES_MAX; index++) {
        kafka.cut_in_until_ns[index] = 0;
        kafka.cut_out_until_ns[index] = 0;
        kafka.inits_held_until_ns[index] = 0;
    }
    kafka.markers_held_until_ns = 0;
    kafka.tuning.late_per_million = 0;
    kafka.tuning.end_stalls_per_million = 0;
    kafka.tuning.init_stalls_per_million = 0;
    kafka.tuning.spike_per_million = 0;
    kafka.tuning.marker_slow_per_million = 0;
}
