/* tests/unit/proto/test_nng_connection.c — frames over one stream: two connections in this process,
 * each with an owner that notes what it is told. What real clients and servers do is in
 * tests/integration/test_transport*.c. */
#include "base/clock.h"
#include "base/memory.h"
#include "proto/nng_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_NS_MAX = 2000000000, RECEIVED_MAX = 64, WAIT_NS = 1000000 };

/* First member: the connection. */
struct end {
    struct mr_nng_connection base;
    struct mr_nng_monitor *monitor;
    bool greeted;
    bool refuses; /* may_receive says no */
    bool closed;
    bool ended;
    struct mr_nng_frame *received[RECEIVED_MAX];
    uint32_t received_count;
};

static struct mr_nng_monitor monitor;
static struct end ends[2];

static void changed(struct end *end)
{
    assert_int_equal(pthread_cond_broadcast(&end->monitor->changed), 0);
}

static void greeted(struct mr_nng_connection *connection)
{
    ((struct end *)connection)->greeted = true;
    changed((struct end *)connection);
}

static bool may_receive(struct mr_nng_connection *connection, size_t size)
{
    (void)size;
    changed((struct end *)connection);
    return !((struct end *)connection)->refuses;
}

static void received(struct mr_nng_connection *connection, struct mr_nng_frame *frame)
{
    struct end *end = (struct end *)connection;
    end->received[end->received_count++] = frame;
    changed(end);
}

static void closed(struct mr_nng_connection *connection)
{
    ((struct end *)connection)->closed = true;
    changed((struct end *)connection);
}

static void ended(struct mr_nng_connection *connection)
{
    assert_false(((struct end *)connection)->ended); /* once */
    ((struct end *)connection)->ended = true;
    changed((struct end *)connection);
}

static const struct mr_nng_owner owner = {greeted, may_receive, received, closed, ended};

static bool locked; /* by the test: an assertion that fails leaves it so */

static void lock(void)
{
    assert_int_equal(pthread_mutex_lock(&monitor.lock), 0);
    locked = true;
}

static void unlock(void)
{
    locked = false;
    assert_int_equal(pthread_mutex_unlock(&monitor.lock), 0);
}

static nng_stream *take_stream(nng_aio *aio)
{
    nng_aio_wait(aio);
    assert_int_equal(nng_aio_result(aio), 0);
    return nng_aio_get_output(aio, 0);
}

/* A pair of streams over a socket's path. */
static int setup(void **state)
{
    char address[64];
    nng_stream_listener *listener;
    nng_stream_dialer *dialer;
    nng_aio *accept;
    nng_aio *dial;
    (void)state;
    (void)snprintf(address, sizeof(address), "ipc:///tmp/millrace-connection-%d", getpid());
    assert_int_equal(nng_stream_listener_alloc(&listener, address), 0);
    assert_int_equal(nng_stream_dialer_alloc(&dialer, address), 0);
    assert_int_equal(nng_aio_alloc(&accept, NULL, NULL), 0);
    assert_int_equal(nng_aio_alloc(&dial, NULL, NULL), 0);
    assert_int_equal(nng_stream_listener_listen(listener), 0);
    nng_stream_listener_accept(listener, accept);
    nng_stream_dialer_dial(dialer, dial);
    mr_nng_monitor_init(&monitor);
    memset(ends, 0, sizeof(ends));
    ends[0].monitor = &monitor;
    ends[1].monitor = &monitor;
    nng_stream *streams[] = {take_stream(dial), take_stream(accept)};
    lock();
    mr_nng_connection_start(&ends[0].base, &owner, &monitor.lock, streams[0]);
    mr_nng_connection_start(&ends[1].base, &owner, &monitor.lock, streams[1]);
    unlock();
    nng_aio_free(accept);
    nng_aio_free(dial);
    nng_stream_listener_free(listener);
    nng_stream_dialer_free(dialer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (locked)
        unlock();
    for (size_t index = 0; index < 2; index++) {
        lock();
        mr_nng_connection_close(&ends[index].base, NNG_ECLOSED);
        unlock();
        mr_nng_connection_deinit(&ends[index].base);
        assert_true(ends[index].closed && ends[index].ended);
        for (uint32_t frame = 0; frame < ends[index].received_count; frame++)
            mr_memory_free(ends[index].received[frame]);
    }
    mr_nng_monitor_deinit(&monitor);
    return 0;
}

/* Wait, locked, until end has received count frames (or is closed). */
static void wait_for_frames(struct end *end, uint32_t count)
{
    uint64_t deadline_ns = mr_clock_monotonic_ns() + WAIT_NS_MAX;
    while (end->received_count < count && !end->closed)
        assert_true(mr_nng_monitor_wait(&monitor, deadline_ns));
}

static void wait_until_closed(struct end *end)
{
    uint64_t deadline_ns = mr_clock_monotonic_ns() + WAIT_NS_MAX;
    while (!end->closed)
        assert_true(mr_nng_monitor_wait(&monitor, deadline_ns));
}

/* What the other end has received may still be under way here: nng tells of it after. */
static void wait_until_written(struct end *end)
{
    uint64_t deadline_ns = mr_clock_monotonic_ns() + WAIT_NS_MAX;
    while (end->base.out_count > 0) {
        assert_true(mr_clock_monotonic_ns() < deadline_ns);
        (void)mr_nng_monitor_wait(&monitor, mr_clock_monotonic_ns() + WAIT_NS);
    }
}

static void test_frames_of_all_sizes_arrive_in_order(void **state)
{
    static const size_t sizes[] = {1,     2,     15,    16,    17,     4095,
                                   65535, 65536, 65537, 99999, 131073, MR_NNG_MESSAGE_BYTES_MAX};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    uint8_t *bytes = mr_memory_new(MR_NNG_MESSAGE_BYTES_MAX, 1);
    (void)state;
    for (size_t index = 0; index < MR_NNG_MESSAGE_BYTES_MAX; index++)
        bytes[index] = (uint8_t)(index ^ (index >> 8) ^ (index >> 16));
    lock();
    for (uint64_t index = 0; index < COUNT; index++) {
        mr_nng_connection_send(
            &ends[0].base,
            mr_nng_frame_create(index << 60 | 7, mr_slice_from(bytes, sizes[index])));
        mr_nng_connection_send(&ends[1].base,
                               mr_nng_frame_create(index, mr_slice_from(bytes, sizes[index])));
    }
    for (size_t end = 0; end < 2; end++) {
        wait_for_frames(&ends[end], COUNT);
        assert_true(ends[end].greeted);
        for (uint64_t index = 0; index < COUNT; index++) {
            const struct mr_nng_frame *frame = ends[end].received[index];
            assert_int_equal(frame->size, sizes[index]);
            assert_memory_equal(frame->bytes, bytes, sizes[index]);
            assert_true(mr_nng_frame_request(frame) == (end == 0 ? index : (index << 60 | 7)));
        }
    }
    wait_until_written(&ends[0]);
    assert_int_equal(ends[0].base.out_bytes, 0);
    unlock();
    mr_memory_free(bytes);
}

static void test_parked_until_resumed(void **state)
{
    (void)state;
    lock();
    ends[1].refuses = true;
    mr_nng_connection_send(&ends[0].base, mr_nng_frame_create(1, mr_slice_text("first")));
    mr_nng_connection_send(&ends[0].base, mr_nng_frame_create(2, mr_slice_text("second")));
    uint64_t deadline_ns = mr_clock_monotonic_ns() + WAIT_NS_MAX;
    while (ends[1].base.reading != MR_NNG_READING_PARKED)
        (void)mr_nng_monitor_wait(&monitor, mr_clock_monotonic_ns() + WAIT_NS);
    assert_true(mr_clock_monotonic_ns() < deadline_ns);
    assert_int_equal(ends[1].received_count, 0);
    assert_false(ends[1].base.receiving);
    ends[1].refuses = false;
    mr_nng_connection_resume(&ends[1].base);
    wait_for_frames(&ends[1], 2);
    assert_memory_equal(ends[1].received[1]->bytes, "second", 6);
    unlock();
}

static void test_closed_on_both_sides(void **state)
{
    (void)state;
    lock();
    mr_nng_connection_close(&ends[0].base, NNG_ECLOSED);
    mr_nng_connection_close(&ends[0].base, NNG_EPROTO);
    assert_int_equal(ends[0].base.reason, NNG_ECLOSED); /* the first counts */
    wait_until_closed(&ends[1]);
    uint32_t left = ends[1].base.out_count; /* its greeting, where that was not written */
    mr_nng_connection_send(&ends[1].base, mr_nng_frame_create(1, mr_slice_text("to nobody")));
    assert_int_equal(ends[1].base.out_count, left);
    unlock();
}

/* Closed while frames fly in both directions, at every moment that chance finds. */
static void test_closed_at_any_moment(void **state)
{
    for (uint64_t round = 0; round < 150; round++) {
        lock();
        for (uint64_t index = 0; index < 8; index++) {
            mr_nng_connection_send(&ends[0].base, mr_nng_frame_create(1, mr_slice_text("there")));
            mr_nng_connection_send(&ends[1].base, mr_nng_frame_create(1, mr_slice_text("back")));
        }
        unlock();
        uint64_t until_ns = mr_clock_monotonic_ns() + round * 1000;
        while (mr_clock_monotonic_ns() < until_ns) {
        }
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void test_forgotten_frames(void **state)
{
    (void)state;
    lock();
    ends[1].refuses = true; /* the system's buffers fill, then frames wait */
    uint8_t *bytes = mr_memory_new(1 << 20, 1);
    for (uint64_t index = 0; index < 8; index++)
        mr_nng_connection_send(&ends[0].base,
                               mr_nng_frame_create(index, mr_slice_from(bytes, 1 << 20)));
    mr_nng_connection_forget(&ends[0].base);
    assert_true(ends[0].base.out_count <= 1);
    assert_true(ends[0].base.out_bytes <= 1 << 20);
    mr_nng_connection_forget(&ends[0].base);
    unlock();
    mr_memory_free(bytes);
}

static void test_a_head_that_is_wrong(void **state)
{
    (void)state;
    lock();
    struct mr_nng_frame *frame = mr_nng_frame_create(1, mr_slice_text("x"));
    frame->head[4] = 1; /* reserved */
    mr_nng_connection_send(&ends[0].base, frame);
    wait_until_closed(&ends[1]);
    assert_int_equal(ends[1].base.reason, NNG_EPROTO);
    assert_int_equal(ends[1].received_count, 0);
    wait_until_closed(&ends[0]);
    unlock();
}

static void test_a_claim_that_is_too_large(void **state)
{
    (void)state;
    lock();
    struct mr_nng_frame *frame = mr_nng_frame_create(1, mr_slice_text("x"));
    frame->head[0] = 1; /* 8 MiB and one */
    frame->head[2] = 0x80;
    mr_nng_connection_send(&ends[0].base, frame);
    wait_until_closed(&ends[1]);
    assert_int_equal(ends[1].base.reason, NNG_EMSGSIZE);
    unlock();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_of_all_sizes_arrive_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parked_until_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_on_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_head_that_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_claim_that_is_too_large, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
