/* tests/unit/operators/test_window_ring.c — the list of a group's live panes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/window_ring.h"

static _Alignas(8) uint8_t memory[512];

static struct mr_window_ring *make(struct mr_windowing *windowing, bool is_inline,
                                   uint32_t capacity)
{
    *windowing = (struct mr_windowing){.ring_inline = is_inline, .capacity = capacity};
    windowing->set.cell_bytes = 8;
    memset(memory, 0, sizeof(memory));
    struct mr_window_ring *ring = (struct mr_window_ring *)memory;
    ring->head.size = sizeof(*ring);
    return ring;
}

static uint32_t live(struct mr_windowing *windowing, struct mr_window_ring *ring, int64_t *panes)
{
    uint32_t count = 0;
    int64_t pane = INT64_MIN / 2;
    uint8_t *cell;
    while (mr_window_ring_next(windowing, ring, pane, &panes[count], &cell)) {
        assert_int_equal(cell != NULL, windowing->ring_inline);
        pane = panes[count++] + 1;
    }
    return count;
}

static void panes_are_kept_in_order(void **state)
{
    MR_UNUSED(state);
    static const int64_t given[] = {70, -3, 5, 200, 6, 5, 71};
    static const int64_t sorted[] = {-3, 5, 6, 70, 71, 200};
    for (int is_inline = 0; is_inline < 2; is_inline++) {
        struct mr_windowing windowing;
        struct mr_window_ring *ring = make(&windowing, is_inline == 1, 6);
        uint8_t *cell;
        for (size_t i = 0; i < MR_ARRAY_COUNT(given); i++) {
            enum mr_window_room room = mr_window_ring_room(&windowing, ring, given[i], &cell);
            assert_int_equal(room, i == 5 ? MR_ROOM_FOUND : MR_ROOM_MADE);
            if (cell != NULL && room == MR_ROOM_MADE) {
                static const uint8_t zeros[8] = {0};
                assert_memory_equal(cell, zeros, 8);
                memset(cell, (int)i, 8);
            }
        }
        int64_t found[8];
        assert_int_equal(live(&windowing, ring, found), 6);
        assert_memory_equal(found, sorted, sizeof(sorted));
        mr_window_ring_undo(&windowing, ring, 6);
        mr_window_ring_drop(&windowing, ring, 5);
        assert_int_equal(live(&windowing, ring, found), 4);
        assert_int_equal(found[0], 5);
        assert_int_equal(found[1], 70);
        mr_window_ring_drop(&windowing, ring, 71);
        assert_int_equal(live(&windowing, ring, found), 2);
        mr_window_ring_drop(&windowing, ring, 1000);
        assert_int_equal(live(&windowing, ring, found), 0);
        assert_int_equal(ring->head.size, sizeof(*ring));
    }
}

static void a_full_list_keeps_its_lowest_panes(void **state)
{
    MR_UNUSED(state);
    struct mr_windowing windowing;
    struct mr_window_ring *ring = make(&windowing, true, 2);
    uint8_t *cell;
    assert_int_equal(mr_window_ring_room(&windowing, ring, 5, &cell), MR_ROOM_MADE);
    assert_int_equal(mr_window_ring_room(&windowing, ring, 7, &cell), MR_ROOM_MADE);
    assert_int_equal(mr_window_ring_room(&windowing, ring, 7, &cell), MR_ROOM_FOUND);
    assert_int_equal(mr_window_ring_room(&windowing, ring, 8, &cell), MR_ROOM_BEHIND);
    assert_int_equal(mr_window_ring_room(&windowing, ring, 6, &cell), MR_ROOM_FULL);
    assert_int_equal(mr_window_ring_entries(&windowing, ring), 2);
}

static void sizes_follow_window_and_aggregates(void **state)
{
    MR_UNUSED(state);
    struct mr_aggregate_set set = {.cell_bytes = 8};
    struct mr_state_estimate small;
    struct mr_state_estimate large;
    const struct mr_window few = {.size_ms = 10000, .every_ms = 2000, .pane_ms = 2000};
    const struct mr_window many = {.size_ms = 3600000, .every_ms = 1000, .pane_ms = 1000};
    mr_windowing_aligned_estimate(&few, 0, &set, &small);
    mr_windowing_aligned_estimate(&many, 0, &set, &large);
    assert_in_range(small.object_bytes, 100, 600);
    assert_true(large.object_bytes > 3600 * 64);
    set.heavy_count = 1;
    mr_windowing_aligned_estimate(&few, 0, &set, &large);
    assert_true(large.stored_bytes > 5 * MR_AGGREGATE_SET_PIECE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panes_are_kept_in_order),
        cmocka_unit_test(a_full_list_keeps_its_lowest_panes),
        cmocka_unit_test(sizes_follow_window_and_aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
