/* bench/bare_loop.c — the yardstick: consume and produce with librdkafka alone, in transactions.
 * It reads every record of a topic up to the end offsets seen at start and writes the same key and
 * value to the same partition of another topic, in transactions of 100 ms, with the settings that
 * librdkafka's documentation advises for throughput. Of Millrace only the clock is in it; budgets
 * of the engine are shares of its records per CPU-second (docs/ARCHITECTURE.md). Values are not
 * copied: consumed messages live until their transaction is committed. With two producers,
 * transaction N + 1 is collected while a second thread flushes and commits N; its records are
 * handed over only when N is committed, so that the order of a partition holds. Usage: bare_loop
 * --brokers HOST:PORT --from TOPIC --to TOPIC [--producers 1|2] [--interval-ms N]
 *        [--va] [--timestamps] [--dr none|ledger|callback] [--repeat N]
 * --va produces one by one by rd_kafka_produceva; --timestamps gives each record its own timestamp
 * (needs --va); --dr says how acknowledgements are noticed. --repeat N measures producing alone:
 * one transaction's records are read first, and produced again and again until it was N. */
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

enum { PARTITIONS_MAX = 64, BATCH = 4096, TRANSACTION_RECORDS = 50000 };

struct arguments {
    const char *brokers;
    const char *from;
    const char *to;
    int producers;
    int interval_ms;
    bool va;
    bool timestamps;
    char dr;
    uint64_t repeat; /* records; 0: the whole topic once */
};

/* Messages of one transaction. */
struct held {
    rd_kafka_message_t *messages[TRANSACTION_RECORDS + BATCH];
    size_t count;
};

struct loop {
    struct arguments arguments;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    rd_kafka_t *producers[2];
    rd_kafka_topic_t *topics[2];
    int partitions;
    int64_t ends[PARTITIONS_MAX];
    bool done[PARTITIONS_MAX];
    int left;
    uint64_t records;
    uint64_t transactions;
    struct held held[2];
    /* The second thread: `given` is the transaction to commit, -1 none. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int given;
};

static _Noreturn void stop(const char *what, const char *why)
{
    fprintf(stderr, "bare_loop: %s: %s\n", what, why);
    exit(1);
}

static double seconds_now(void)
{
    return (double)mr_clock_monotonic_ns() / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
}

/* ---- Handles ---- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        stop(name, text);
}

static rd_kafka_conf_t *common(const struct loop *loop)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", loop->arguments.brokers);
    set(conf, "socket.nagle.disable", "true");
    set(conf, "enable.metrics.push", "false");
    return conf;
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[512];
    rd_kafka_t *handle = rd_kafka_new(type, conf, text, sizeof(text));
    if (handle == NULL)
        stop("rd_kafka_new", text);
    return handle;
}

static rd_kafka_resp_err_t acknowledged(rd_kafka_t *handle, rd_kafka_message_t *message,
                                        void *opaque)
{
    (void)handle;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        atomic_store((atomic_int *)opaque, message->err);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t attach(rd_kafka_t *handle, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t size)
{
    (void)conf;
    (void)text;
    (void)size;
    return rd_kafka_interceptor_add_on_acknowledgement(handle, "bare", acknowledged, opaque);
}

static atomic_int refused;

static void delivered(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        atomic_store(&refused, message->err);
}

static void make_producers(struct loop *loop)
{
    for (int index = 0; index < loop->arguments.producers; index++) {
        char id[64];
        snprintf(id, sizeof(id), "bare-loop-%d", index);
        rd_kafka_conf_t *conf = common(loop);
        set(conf, "transactional.id", id);
        set(conf, "linger.ms", "5");
        set(conf, "queue.buffering.max.messages", "1000000");
        if (loop->arguments.dr == 'c') {
            rd_kafka_conf_set_dr_msg_cb(conf, delivered);
        } else {
            /* Events without any event: rd_kafka_flush waits on a condition instead of polling. */
            set(conf, "delivery.report.only.error", "true");
            rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
        }
        if (loop->arguments.dr == 'l')
            rd_kafka_conf_interceptor_add_on_new(conf, "bare", attach, &refused);
        loop->producers[index] = make(RD_KAFKA_PRODUCER, conf);
        rd_kafka_error_t *error = rd_kafka_init_transactions(loop->producers[index], 30000);
        if (error != NULL)
            stop("init_transactions", rd_kafka_error_string(error));
        loop->topics[index] = rd_kafka_topic_new(loop->producers[index], loop->arguments.to, NULL);
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(loop->producers[index], 0, loop->topics[index], &metadata, 10000) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            stop(loop->arguments.to, "no metadata");
        rd_kafka_metadata_destroy(metadata);
    }
}

static void make_consumer(struct loop *loop)
{
    rd_kafka_conf_t *conf = common(loop);
    set(conf, "group.id", "bare-loop");
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "error");
    set(conf, "enable.partition.eof", "true");
    set(conf, "check.crcs", "false");
    set(conf, "fetch.wait.max.ms", "50");
    set(conf, "fetch.queue.backoff.ms", "10");
    loop->consumer = make(RD_KAFKA_CONSUMER, conf);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(loop->consumer, loop->arguments.from, NULL);
    if (rd_kafka_metadata(loop->consumer, 0, topic, &metadata, 10000) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        stop(loop->arguments.from, "no such topic");
    loop->partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    if (loop->partitions > PARTITIONS_MAX)
        stop(loop->arguments.from, "too many partitions");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(loop->partitions);
    for (int index = 0; index < loop->partitions; index++) {
        int64_t low = 0;
        rd_kafka_query_watermark_offsets(loop->consumer, loop->arguments.from, index, &low,
                                         &loop->ends[index], 10000);
        rd_kafka_topic_partition_list_add(list, loop->arguments.from, index)->offset = low;
    }
    loop->left = loop->partitions;
    rd_kafka_assign(loop->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    loop->queue = rd_kafka_queue_get_consumer(loop->consumer);
}

/* ---- Producing ---- */

static void produce_one(struct loop *loop, int producer, rd_kafka_message_t *from)
{
    rd_kafka_vu_t values[6] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = loop->topics[producer]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = from->partition},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {from->payload, from->len}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {from->key, from->key_len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = NULL},
    };
    size_t count = 5;
    if (loop->arguments.timestamps)
        values[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
                                          .u.i64 = rd_kafka_message_timestamp(from, NULL)};
    rd_kafka_error_t *error;
    while ((error = rd_kafka_produceva(loop->producers[producer], values, count)) != NULL) {
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            stop("produceva", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        rd_kafka_poll(loop->producers[producer], 2);
    }
}

/* A run of messages of one partition. */
static void produce_run(struct loop *loop, int producer, rd_kafka_message_t **from, int count)
{
    static rd_kafka_message_t batch[BATCH];
    for (int index = 0; index < count; index++) {
        batch[index].payload = from[index]->payload;
        batch[index].len = from[index]->len;
        batch[index].key = from[index]->key;
        batch[index].key_len = from[index]->key_len;
        batch[index]._private = NULL;
    }
    int sent = 0;
    while (sent < count) {
        sent += rd_kafka_produce_batch(loop->topics[producer], from[0]->partition, 0, &batch[sent],
                                       count - sent);
        if (sent < count)
            rd_kafka_poll(loop->producers[producer], 2);
    }
}

static void produce(struct loop *loop, int producer, rd_kafka_message_t **messages, size_t count)
{
    for (size_t start = 0; start < count;) {
        size_t end = start + 1;
        while (end < count && end - start < BATCH &&
               messages[end]->partition == messages[start]->partition)
            end++;
        if (loop->arguments.va) {
            for (size_t index = start; index < end; index++)
                produce_one(loop, producer, messages[index]);
        } else {
            produce_run(loop, producer, &messages[start], (int)(end - start));
        }
        start = end;
    }
}

static void begin(struct loop *loop, int producer)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(loop->producers[producer]);
    if (error != NULL)
        stop("begin_transaction", rd_kafka_error_string(error));
}

static void commit(struct loop *loop, int producer)
{
    rd_kafka_error_t *error = rd_kafka_commit_transaction(loop->producers[producer], -1);
    if (error != NULL)
        stop("commit_transaction", rd_kafka_error_string(error));
    if (atomic_load(&refused) != 0)
        stop("delivery", rd_kafka_err2str((rd_kafka_resp_err_t)atomic_load(&refused)));
    loop->transactions++;
}

static void release(struct held *held)
{
    for (size_t index = 0; index < held->count; index++)
        rd_kafka_message_destroy(held->messages[index]);
    held->count = 0;
}

/* ---- Consuming ---- */

/* Append what is there, waiting at most wait_ms for the first message. */
static size_t consume(struct loop *loop, struct held *held, int wait_ms)
{
    rd_kafka_message_t **into = &held->messages[held->count];
    ssize_t got = rd_kafka_consume_batch_queue(loop->queue, 0, into, BATCH);
    if (got == 0 && wait_ms > 0)
        got = rd_kafka_consume_batch_queue(loop->queue, wait_ms, into, 1);
    size_t kept = 0;
    for (ssize_t index = 0; index < got; index++) {
        rd_kafka_message_t *message = into[index];
        int partition = message->partition;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            into[kept++] = message;
            continue;
        }
        if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            stop("consume", rd_kafka_message_errstr(message));
        if (message->offset >= loop->ends[partition] && !loop->done[partition]) {
            loop->done[partition] = true;
            loop->left--;
        }
        rd_kafka_message_destroy(message);
    }
    held->count += kept;
    loop->records += kept;
    return kept;
}

static int left_ms(double deadline)
{
    double left = (deadline - seconds_now()) * 1e3;
    return left > 0 ? (int)left + 1 : 0;
}

static bool is_full(const struct held *held)
{
    return held->count >= TRANSACTION_RECORDS;
}

static void run_one(struct loop *loop)
{
    struct held *held = &loop->held[0];
    while (loop->left > 0) {
        double deadline = seconds_now() + loop->arguments.interval_ms / 1e3;
        begin(loop, 0);
        while (loop->left > 0 && left_ms(deadline) > 0 && !is_full(held)) {
            size_t before = held->count;
            size_t kept = consume(loop, held, left_ms(deadline));
            produce(loop, 0, &held->messages[before], kept);
        }
        commit(loop, 0);
        release(held);
    }
}

static void fill(struct loop *loop)
{
    struct held *held = &loop->held[0];
    while (loop->left > 0 && !is_full(held))
        (void)consume(loop, held, loop->arguments.interval_ms);
    if (held->count == 0)
        stop(loop->arguments.from, "it is empty");
    loop->records = 0;
}

static void run_repeated(struct loop *loop)
{
    struct held *held = &loop->held[0];
    while (loop->records < loop->arguments.repeat) {
        double deadline = seconds_now() + loop->arguments.interval_ms / 1e3;
        begin(loop, 0);
        for (size_t made = 0; loop->records < loop->arguments.repeat && left_ms(deadline) > 0 &&
                              made < held->count;) {
            size_t count = held->count - made < BATCH ? held->count - made : BATCH;
            produce(loop, 0, &held->messages[made], count);
            made += count;
            loop->records += count;
        }
        commit(loop, 0);
    }
}

/* The second thread: hand over, flush and commit each transaction that is given. */
static void *commit_given(void *argument)
{
    struct loop *loop = argument;
    for (;;) {
        pthread_mutex_lock(&loop->lock);
        while (loop->given == -1)
            pthread_cond_wait(&loop->changed, &loop->lock);
        int given = loop->given;
        pthread_mutex_unlock(&loop->lock);
        if (given == -2)
            return NULL;
        commit(loop, given);
        release(&loop->held[given]);
        pthread_mutex_lock(&loop->lock);
        loop->given = -1;
        pthread_cond_signal(&loop->changed);
        pthread_mutex_unlock(&loop->lock);
    }
}

static void give(struct loop *loop, int given)
{
    pthread_mutex_lock(&loop->lock);
    while (loop->given != -1)
        pthread_cond_wait(&loop->changed, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    if (given >= 0) {
        begin(loop, given);
        produce(loop, given, loop->held[given].messages, loop->held[given].count);
    }
    pthread_mutex_lock(&loop->lock);
    loop->given = given;
    pthread_cond_signal(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
}

static void run_two(struct loop *loop)
{
    pthread_t thread;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    loop->given = -1;
    if (pthread_create(&thread, NULL, commit_given, loop) != 0)
        stop("thread", "cannot be made");
    for (int turn = 0; loop->left > 0; turn = 1 - turn) {
        double deadline = seconds_now() + loop->arguments.interval_ms / 1e3;
        while (loop->left > 0 && left_ms(deadline) > 0 && !is_full(&loop->held[turn]))
            consume(loop, &loop->held[turn], left_ms(deadline));
        give(loop, turn);
    }
    give(loop, -2);
    pthread_join(thread, NULL);
}

static void parse(int count, char **values, struct arguments *arguments)
{
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},     {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},          {"producers", required_argument, NULL, 'p'},
        {"interval-ms", required_argument, NULL, 'i'}, {"va", no_argument, NULL, 'v'},
        {"timestamps", no_argument, NULL, 's'},        {"dr", required_argument, NULL, 'd'},
        {"repeat", required_argument, NULL, 'r'},      {0}};
    *arguments = (struct arguments){
        .brokers = "127.0.0.1:19092", .producers = 1, .interval_ms = 100, .dr = 'n'};
    for (int code; (code = getopt_long(count, values, "", options, NULL)) != -1;) {
        if (code == 'b')
            arguments->brokers = optarg;
        else if (code == 'f')
            arguments->from = optarg;
        else if (code == 't')
            arguments->to = optarg;
        else if (code == 'p')
            arguments->producers = (int)strtol(optarg, NULL, 10);
        else if (code == 'i')
            arguments->interval_ms = (int)strtol(optarg, NULL, 10);
        else if (code == 'v')
            arguments->va = true;
        else if (code == 's')
            arguments->timestamps = true;
        else if (code == 'd')
            arguments->dr = optarg[0];
        else if (code == 'r')
            arguments->repeat = strtoull(optarg, NULL, 10);
        else
            exit(2);
    }
    if (arguments->from == NULL || arguments->to == NULL || arguments->producers < 1 ||
        arguments->producers > 2 || arguments->interval_ms < 1 ||
        (arguments->timestamps && !arguments->va) ||
        (arguments->repeat > 0 && arguments->producers != 1)) {
        fprintf(stderr, "usage: bare_loop --brokers HOST:PORT --from TOPIC --to TOPIC "
                        "[--producers 1|2] [--interval-ms N] [--va [--timestamps]] "
                        "[--dr none|ledger|callback] [--repeat N with one producer]\n");
        exit(2);
    }
}

int main(int count, char **values)
{
    static struct loop loop;
    parse(count, values, &loop.arguments);
    make_producers(&loop);
    make_consumer(&loop);
    if (loop.arguments.repeat > 0)
        fill(&loop);
    double start = seconds_now();
    double cpu_start = cpu_seconds();
    if (loop.arguments.repeat > 0)
        run_repeated(&loop);
    else if (loop.arguments.producers == 1)
        run_one(&loop);
    else
        run_two(&loop);
    double wall = seconds_now() - start;
    double cpu = cpu_seconds() - cpu_start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(
        "bare_loop records=%llu wall_s=%.2f cpu_s=%.2f records_per_cpu_s=%.0f records_per_s=%.0f "
        "transactions=%llu rss_peak_kb=%ld producers=%d api=%s\n",
        (unsigned long long)loop.records, wall, cpu, (double)loop.records / cpu,
        (double)loop.records / wall, (unsigned long long)loop.transactions, usage.ru_maxrss,
        loop.arguments.producers, loop.arguments.va ? "produceva" : "produce_batch");
    return 0;
}
