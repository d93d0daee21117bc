/* tests/unit/operators/test_known_values.c — values and their weights beside a plain count, what
 * leaves when there is no room, and time to live. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/known_values.h"
#include "tests/support/state_fixture.h"

struct room {
    struct state_fixture fixture;
    struct mr_known_access access;
};

static void room_open(struct room *room, uint32_t capacity, double keep, int64_t forget_after_ms)
{
    fixture_init(&room->fixture, &mr_store_memory, 1 << 22);
    fixture_open(&room->fixture);
    struct mr_table_spec spec = fixture_spec("op");
    spec.slot_bytes = MR_KNOWN_VALUES_SLOT_BYTES;
    spec.slots_max = mr_known_values_slots(capacity);
    struct mr_table *table = fixture_table(&room->fixture, &spec);
    fixture_restore(&room->fixture);
    struct mr_slice key = mr_slice_text("key");
    void *object;
    bool created;
    assert_int_equal(
        mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &room->fixture.error),
        MR_OK);
    struct mr_known_values *values = mr_memory_new(1, mr_known_values_bytes(capacity));
    mr_known_values_begin(values, capacity);
    room->access = (struct mr_known_access){.table = table,
                                            .entry = object,
                                            .values = values,
                                            .keep = keep,
                                            .forget_after_ms = forget_after_ms};
}

static void room_close(struct room *room)
{
    mr_memory_free(room->access.values);
    fixture_deinit(&room->fixture);
}

/* The head as stored, the places from the slots. */
static void reload(struct room *room)
{
    uint8_t bytes[MR_KNOWN_VALUES_BYTES];
    struct mr_known_values *values = room->access.values;
    uint32_t count = values->count;
    assert_int_equal(mr_known_values_encode(values, bytes), sizeof(bytes));
    memset(values, 0xff, mr_known_values_bytes(values->capacity));
    assert_true(mr_known_values_decode(values, mr_slice_from(bytes, sizeof(bytes))));
    struct mr_known_look look;
    assert_int_equal(
        mr_known_values_look(&room->access, mr_slice_text("?"), 0, &look, &room->fixture.error),
        MR_OK);
    assert_int_equal(values->count, count);
}

/* The p-value of a record with the value, which is then counted. */
static double come(struct room *room, const char *text, int64_t time_ms, double *share)
{
    struct mr_known_look look;
    assert_int_equal(mr_known_values_look(&room->access, mr_slice_text(text), time_ms, &look,
                                          &room->fixture.error),
                     MR_OK);
    double p_value = mr_known_values_p(room->access.values, &look, share);
    assert_int_equal(mr_known_values_learn(&room->access, &look, &room->fixture.error), MR_OK);
    return p_value;
}

static void as_often_as_they_come(void **state)
{
    MR_UNUSED(state);
    enum { KINDS = 40, ROUNDS = 2000 };
    static double counts[KINDS];
    struct room room;
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    room_open(&room, KINDS, 1, 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t kind = mr_random_below(&random, 1 + mr_random_below(&random, KINDS));
        char text[16];
        snprintf(text, sizeof(text), "kind %d", (int)kind);
        double rare = counts[kind] + 1;
        for (uint64_t other = 0; other < KINDS; other++)
            if (other != kind && counts[other] <= counts[kind] + 1)
                rare += counts[other];
        double share;
        assert_true(come(&room, text, round, &share) == rare / (round + 1.0));
        if (round > 0)
            assert_true(share == counts[kind] / round);
        else
            assert_true(isnan(share));
        counts[kind]++;
        if (round % 300 == 299)
            reload(&room);
    }
    room_close(&room);
}

static void the_longest_unseen_leaves(void **state)
{
    MR_UNUSED(state);
    struct room room;
    double share;
    room_open(&room, 3, 1, 0);
    come(&room, "a", 0, &share);
    come(&room, "b", 0, &share);
    come(&room, "a", 0, &share);
    come(&room, "c", 0, &share);
    reload(&room);
    come(&room, "d", 0, &share); /* b was seen longest ago, not a */
    assert_int_equal(room.access.values->count, 3);
    assert_true(room.access.values->evicted == 1);
    come(&room, "a", 0, &share);
    assert_true(share == 2.0 / 5);
    /* b is new again, and what it was counts as rare: d, c, b and b. */
    assert_true(come(&room, "b", 0, &share) == 4.0 / 7);
    assert_true(share == 0);
    room_close(&room);
}

static void time_to_live(void **state)
{
    MR_UNUSED(state);
    struct room room;
    double share;
    room_open(&room, 10, 1, 1000);
    come(&room, "a", 0, &share);
    come(&room, "b", 900, &share);
    come(&room, "a", 500, &share); /* late: it lives from 500 on */
    come(&room, "a", 1499, &share);
    assert_true(share > 0);
    come(&room, "b", 1900, &share);
    assert_true(share == 0); /* not seen since 900 */
    for (int64_t time_ms = 1901; time_ms < 1910; time_ms++)
        come(&room, "c", time_ms, &share);
    assert_int_equal(room.access.values->count, 3);
    for (int64_t time_ms = 3000; time_ms < 3010; time_ms++)
        come(&room, "c", time_ms, &share); /* each looks at one place */
    assert_int_equal(room.access.values->count, 1);
    assert_true(share == 1);
    come(&room, "d", 3010, &share);
    assert_int_equal(room.access.values->places, 3);
    reload(&room);
    assert_true(come(&room, "a", 3011, &share) == 2.0 / 12 && share == 0);
    /* Times at the ends do not overflow. */
    come(&room, "a", INT64_MIN + 1, &share);
    come(&room, "e", INT64_MAX, &share);
    come(&room, "a", INT64_MAX, &share);
    assert_true(share == 0);
    room_close(&room);
}

/* Weights as by multiplying all of them at each record, over several scalings. */
static void decay(void **state)
{
    MR_UNUSED(state);
    double weights[3] = {0};
    struct room room;
    room_open(&room, 4, 0.7, 0);
    for (uint32_t round = 0; round < 3000; round++) {
        char text[2] = {(char)('a' + (round * round + round / 7) % 3), 0};
        double sum = weights[0] + weights[1] + weights[2];
        double share;
        double p_value = come(&room, text, 0, &share);
        uint32_t kind = (uint32_t)(text[0] - 'a');
        double rare = weights[kind] + 1;
        for (uint32_t other = 0; other < 3; other++)
            if (other != kind && weights[other] <= weights[kind] + 1)
                rare += weights[other];
        if (round > 0)
            assert_true(fabs(share - weights[kind] / sum) < 1e-9);
        assert_true(fabs(p_value - rare / (sum + 1)) < 1e-9);
        for (uint32_t other = 0; other < 3; other++)
            weights[other] = 0.7 * (weights[other] + (other == kind));
        if (round % 500 == 499)
            reload(&room);
    }
    assert_true(room.access.values->unit <= 1e140);
    room_close(&room);
}

static void corrupt_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_known_values values = {0};
    uint8_t bytes[MR_KNOWN_VALUES_BYTES] = {2, 0, 0, 0, 3};
    assert_false(mr_known_values_decode(&values, mr_slice_from(bytes, sizeof(bytes))));
    assert_false(mr_known_values_decode(&values, mr_slice_from(bytes, 5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_often_as_they_come),
        cmocka_unit_test(the_longest_unseen_leaves),
        cmocka_unit_test(time_to_live),
        cmocka_unit_test(decay),
        cmocka_unit_test(corrupt_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
