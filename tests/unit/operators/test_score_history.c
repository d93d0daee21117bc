/* tests/unit/operators/test_score_history.c — the surprise of scores, by hand and beside a count
 * over a plain array. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/score_history.h"
#include "tests/support/state_fixture.h"

struct room {
    struct state_fixture fixture;
    struct mr_score_shape shape;
    struct mr_score_access access;
};

static void room_open(struct room *room, uint32_t members_count, uint32_t capacity)
{
    room->shape = mr_score_shape(members_count, capacity);
    fixture_init(&room->fixture, &mr_store_memory, 1 << 22);
    fixture_open(&room->fixture);
    struct mr_table_spec spec = fixture_spec("op");
    spec.slot_bytes = mr_score_history_slot_bytes(&room->shape);
    spec.slots_max = mr_score_history_slots(&room->shape);
    struct mr_table *table = fixture_table(&room->fixture, &spec);
    fixture_restore(&room->fixture);
    struct mr_slice key = mr_slice_text("key");
    void *object;
    bool created;
    assert_int_equal(
        mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &room->fixture.error),
        MR_OK);
    struct mr_score_history *history = mr_memory_new(1, mr_score_history_bytes(&room->shape));
    history->members_count = members_count;
    history->capacity = capacity;
    room->access = (struct mr_score_access){
        .table = table,
        .entry = object,
        .history = history,
        .slot_records = room->shape.slot_records,
        .scratch = mr_memory_new(capacity, sizeof(struct mr_score_placed))};
}

static void room_close(struct room *room)
{
    mr_memory_free(room->access.history);
    mr_memory_free(room->access.scratch);
    fixture_deinit(&room->fixture);
}

static void add(struct room *room, double first, double second)
{
    const double scores[] = {first, second};
    assert_int_equal(mr_score_history_add(&room->access, scores, &room->fixture.error), MR_OK);
}

static double surprise(struct room *room, enum mr_score_calibration calibration, uint32_t member,
                       double score)
{
    const struct mr_score_rule rule = {
        .calibration = calibration, .tail_share = 0.25, .scale_floor = 1e-6};
    double found = -1;
    assert_int_equal(mr_score_history_surprise(&room->access, &rule, member, score, &found,
                                               &room->fixture.error),
                     MR_OK);
    return found;
}

static void assert_near(double found, double expected)
{
    if (fabs(found - expected) > 1e-12 * (1 + fabs(expected)))
        fail_msg("%.17g, expected %.17g", found, expected);
}

/* 1 to 20 in a mixed order, and scores of which five are above the rest. */
static void fill(struct room *room)
{
    static const double tops[] = {1, 2, 4, 8, 16};
    for (uint32_t index = 0; index < 20; index++)
        add(room, 1 + index * 7 % 20, index % 4 == 1 ? tops[index / 4] : 0);
}

static void by_rank(void **state)
{
    MR_UNUSED(state);
    struct room room;
    room_open(&room, 2, 40);
    assert_true(surprise(&room, MR_SCORE_CONFORMAL, 0, 5) == 0);
    fill(&room);
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 0.5), 0);
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 1), 0);
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 11), log10(21.0 / 11));
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 20), log10(21.0 / 2));
    /* Above all: 20 is 9 above the median. */
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 38), log10(21) + log10(3));
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 1, 0), 0);
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 1, 5), log10(21.0 / 3));
    room_close(&room);
}

static void by_tail(void **state)
{
    MR_UNUSED(state);
    struct room room;
    room_open(&room, 2, 40);
    fill(&room);
    /* The level is 15, the excesses 1 to 5: their moments ask for an end, so the index is 1/6. */
    assert_near(surprise(&room, MR_SCORE_TAIL, 0, 15), log10(21.0 / 7));
    assert_near(surprise(&room, MR_SCORE_TAIL, 0, 25),
                log10(21.0 / 6) + 6 * log10(1 + 10 / (6 * 2.5)));
    /* The level is 0, the excesses 1, 2, 4, 8 and 16: mean 6.2, weighted mean 1.3. */
    double index = 2 - 6.2 / 3.6;
    assert_near(surprise(&room, MR_SCORE_TAIL, 1, 100),
                log10(21.0 / 6) + log10(1 + index * 100 / (6.2 * (1 - index))) / index);
    room_close(&room);
}

static void nothing_saturates(void **state)
{
    MR_UNUSED(state);
    struct room room;
    static const double scores[] = {21, 30, 1e3, 1e9, 1e30, 1e140};
    room_open(&room, 2, 40);
    fill(&room);
    for (int calibration = MR_SCORE_TAIL; calibration <= MR_SCORE_CONFORMAL; calibration++)
        for (uint32_t member = 0; member < 2; member++) {
            double before = 0;
            for (uint32_t index = 0; index < MR_ARRAY_COUNT(scores); index++) {
                double found =
                    surprise(&room, (enum mr_score_calibration)calibration, member, scores[index]);
                assert_true(isfinite(found) && found > before);
                before = found;
            }
            assert_true(isfinite(surprise(&room, (enum mr_score_calibration)calibration, member,
                                          1.7976931348623157e308)));
        }
    room_close(&room);
}

/* Nothing is known of the spread: the floor is. */
static void equal_scores(void **state)
{
    MR_UNUSED(state);
    struct room room;
    room_open(&room, 2, 40);
    for (uint32_t index = 0; index < 20; index++)
        add(&room, 0, 7);
    assert_near(surprise(&room, MR_SCORE_TAIL, 0, 0), 0);
    assert_near(surprise(&room, MR_SCORE_TAIL, 1, 7), 0);
    assert_near(surprise(&room, MR_SCORE_TAIL, 0, 1), log10(21) + log10(1 + 1e6));
    assert_near(surprise(&room, MR_SCORE_CONFORMAL, 0, 1), log10(21) + log10(1 + 1e6));
    assert_near(surprise(&room, MR_SCORE_TAIL, 1, 6), 0);
    room_close(&room);
}

/* A ring that goes round, with many equal scores: ranks as by counting; made anew, the same. */
static void ranks_of_a_ring(void **state)
{
    MR_UNUSED(state);
    enum { CAPACITY = 37, ROUNDS = 400 };
    struct room room;
    struct mr_random random;
    static double all[2][ROUNDS];
    mr_random_init(&random, 11, 0);
    room_open(&room, 2, CAPACITY);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t first = round > CAPACITY ? round - CAPACITY : 0;
        for (uint32_t member = 0; member < 2; member++) {
            double score = (double)mr_random_below(&random, member == 0 ? 5 : 1000);
            uint32_t as_high = 0;
            double highest = -1;
            for (uint32_t index = first; index < round; index++) {
                as_high += all[member][index] >= score;
                highest = all[member][index] > highest ? all[member][index] : highest;
            }
            all[member][round] = score;
            if (score <= highest)
                assert_near(surprise(&room, MR_SCORE_CONFORMAL, member, score),
                            log10((round - first + 1.0) / (as_high + 1.0)));
        }
        add(&room, all[0][round], all[1][round]);
        if (round % 50 == 20) {
            double before = surprise(&room, MR_SCORE_TAIL, 1, 990);
            memset(room.access.history->order, 0xff, 2 * CAPACITY * sizeof(uint16_t));
            room.access.history->stale = 1;
            assert_int_equal(mr_score_history_refresh(&room.access, &room.fixture.error), MR_OK);
            assert_true(surprise(&room, MR_SCORE_TAIL, 1, 990) == before);
        }
    }
    assert_int_equal(room.access.history->count, CAPACITY);
    room_close(&room);
}

static void shapes(void **state)
{
    MR_UNUSED(state);
    struct mr_score_shape one = mr_score_shape(1, 1000);
    struct mr_score_shape five = mr_score_shape(5, 1600);
    struct mr_score_shape many = mr_score_shape(64, 125);
    assert_int_equal(one.slot_records, 16);
    assert_int_equal(mr_score_history_slots(&one), 63);
    assert_int_equal(mr_score_history_slot_bytes(&five), 3 * 5 * 8);
    assert_int_equal(mr_score_history_slots(&five), 534);
    assert_int_equal(mr_score_history_slot_bytes(&many), 512);
    assert_true(mr_score_history_bytes(&five) <= 16100 && mr_score_history_bytes(&many) <= 16100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_rank),           cmocka_unit_test(by_tail),
        cmocka_unit_test(nothing_saturates), cmocka_unit_test(equal_scores),
        cmocka_unit_test(ranks_of_a_ring),   cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
