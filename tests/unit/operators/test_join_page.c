/* tests/unit/operators/test_join_page.c — join_page.c beside a plain list: rows of a page as they
 * are added, changed and removed, also after they were stored; odd bytes are refused. */
#include "operators/join_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { BYTES = 300, STEPS = 3000 };

static _Alignas(8) uint8_t memory[sizeof(struct mr_join_page) + MR_JOIN_PAGE_LARGE];
static struct mr_join_page *const page = (void *)memory;
static uint8_t stored[MR_JOIN_PAGE_FRAME + MR_JOIN_PAGE_LARGE];
static struct mr_join_kept model[MR_JOIN_PAGE_ROWS];
static uint32_t model_count;
static uint8_t bytes[BYTES];

static void check(uint32_t page_bytes)
{
    struct mr_join_kept kept = {0};
    struct mr_join_kept found;
    uint32_t count = 0;
    int64_t least_ms = INT64_MAX;
    int64_t most_ms = INT64_MIN;
    for (; mr_join_page_next(page, page_bytes, &kept); count++) {
        const struct mr_join_kept *expected = &model[count];
        assert_true(count < model_count);
        assert_true(kept.time_ms == expected->time_ms && kept.due_ms == expected->due_ms);
        assert_true(kept.size == expected->size && kept.place == expected->place);
        assert_true(kept.matched == expected->matched && kept.length == expected->length);
        assert_memory_equal(page->rows + kept.at + MR_JOIN_ROW_HEAD, bytes,
                            kept.length - MR_JOIN_ROW_HEAD);
        assert_true(mr_join_page_find(page, page_bytes, kept.place, &found));
        assert_int_equal(found.at, kept.at);
        least_ms = kept.due_ms < least_ms ? kept.due_ms : least_ms;
        most_ms = kept.due_ms > most_ms ? kept.due_ms : most_ms;
    }
    assert_int_equal(count, model_count);
    assert_false(mr_join_page_find(page, page_bytes, page->ever, &found));
    if (count == 0)
        return;
    assert_true(mr_join_page_due(page, page_bytes, false) == least_ms);
    assert_true(mr_join_page_due(page, page_bytes, true) == most_ms);
    mr_join_page_first_due(page, page_bytes, &found);
    assert_true(found.due_ms == least_ms);
}

static void add(struct mr_random *random, uint32_t page_bytes)
{
    size_t size = mr_random_below(random, BYTES);
    if (!mr_join_page_has_room(page, page_bytes, size))
        return;
    struct mr_join_kept *kept = &model[model_count++];
    *kept = (struct mr_join_kept){.time_ms = (int64_t)mr_random_below(random, 100) - 50,
                                  .due_ms = (int64_t)mr_random_below(random, 9),
                                  .matched = mr_random_below(random, 2) == 1};
    mr_join_page_append(page, page_bytes, kept, mr_slice_from(bytes, size));
}

static void change(struct mr_random *random, uint32_t page_bytes)
{
    struct mr_join_kept kept;
    uint32_t index = (uint32_t)mr_random_below(random, model_count);
    assert_true(mr_join_page_find(page, page_bytes, model[index].place, &kept));
    switch (mr_random_below(random, 3)) {
    case 0:
        mr_join_page_match(page, &kept);
        model[index].matched = true;
        break;
    case 1:
        model[index].due_ms = (int64_t)mr_random_below(random, 9);
        mr_join_page_schedule(page, &kept, model[index].due_ms);
        break;
    default:
        mr_join_page_remove(page, &kept);
        memmove(model + index, model + index + 1, (--model_count - index) * sizeof(*model));
    }
}

static void rows_are_those_of_a_list(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 7, 0);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i * 3);
    for (uint32_t step = 0; step < STEPS; step++) {
        bool small = step < STEPS / 2;
        uint32_t page_bytes = small ? MR_JOIN_PAGE_SMALL : MR_JOIN_PAGE_LARGE;
        if (step % 50 == 0) {
            memset(memory, 0, sizeof(memory));
            model_count = 0;
        }
        if (model_count == 0 || mr_random_below(&random, 3) > 0)
            add(&random, page_bytes);
        else
            change(&random, page_bytes);
        check(page_bytes);
        if (model_count == 0)
            continue;
        struct mr_slice written = mr_slice_from(stored, mr_join_page_encode(page, stored));
        memset(memory, 0, sizeof(memory));
        assert_true(small ? mr_join_page_decode_small(page, MR_JOIN_VERSION, written)
                          : mr_join_page_decode_large(page, MR_JOIN_VERSION, written));
        check(page_bytes);
    }
}

static bool reads(size_t size, uint32_t version)
{
    return mr_join_page_decode_small(page, version, mr_slice_from(stored, size));
}

static void odd_bytes_are_refused(void **state)
{
    (void)state;
    enum { ROW = MR_JOIN_PAGE_FRAME + MR_JOIN_ROW_HEAD, SIZE = 17, PLACE = 21, MATCHED = 22 };
    memset(stored, 0, sizeof(stored));
    stored[0] = 1;
    stored[SIZE] = 2;
    assert_true(reads(ROW + 2, MR_JOIN_VERSION));
    assert_false(reads(ROW + 2, MR_JOIN_VERSION + 1));
    assert_false(reads(ROW + 1, MR_JOIN_VERSION));
    assert_false(reads(ROW + 3, MR_JOIN_VERSION));
    assert_false(reads(0, MR_JOIN_VERSION));
    assert_false(reads(1, MR_JOIN_VERSION));
    stored[PLACE] = 1; /* beyond the rows that it ever had */
    assert_false(reads(ROW + 2, MR_JOIN_VERSION));
    stored[PLACE] = 0;
    stored[MATCHED] = 2;
    assert_false(reads(ROW + 2, MR_JOIN_VERSION));
    stored[MATCHED] = 0;
    stored[0] = MR_JOIN_PAGE_ROWS + 1;
    assert_false(reads(ROW + 2, MR_JOIN_VERSION));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_a_list),
        cmocka_unit_test(odd_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
