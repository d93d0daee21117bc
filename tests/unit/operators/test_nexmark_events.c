/* tests/unit/operators/test_nexmark_events.c — which events there are, and what they refer to. */
#include "operators/nexmark_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static void fifty_events_are_one_person_three_auctions_and_46_bids(void **state)
{
    MR_UNUSED(state);
    int64_t counts[3] = {0};
    for (int64_t event = 0; event < 1000; event++) {
        enum mr_nexmark_kind kind = mr_nexmark_kind_of(event);
        /* The n-th of a kind is that event, and events before it have n of the kind. */
        assert_int_equal(mr_nexmark_records(kind, event), counts[kind]);
        assert_int_equal(mr_nexmark_event(kind, counts[kind]), event);
        assert_int_equal(mr_nexmark_event(MR_NEXMARK_ALL, event), event);
        counts[kind]++;
        assert_int_equal(mr_nexmark_last_person(event), counts[MR_NEXMARK_PERSON] - 1);
        assert_int_equal(mr_nexmark_last_auction(event), counts[MR_NEXMARK_AUCTION] - 1);
    }
    assert_int_equal(counts[MR_NEXMARK_PERSON], 20);
    assert_int_equal(counts[MR_NEXMARK_AUCTION], 60);
    assert_int_equal(counts[MR_NEXMARK_BID], 920);
    assert_int_equal(mr_nexmark_records(MR_NEXMARK_ALL, 77), 77);
}

static void a_shuffled_stream_has_the_same_records(void **state)
{
    MR_UNUSED(state);
    enum { RECORDS = 1037, GROUP = 100 };
    bool seen[RECORDS] = {false};
    int64_t moved = 0;
    for (int64_t index = 0; index < RECORDS; index++) {
        int64_t record = mr_nexmark_shuffled(index, GROUP, RECORDS);
        assert_in_range(record, 0, RECORDS - 1);
        assert_int_equal(record / GROUP, index / GROUP);
        assert_false(seen[record]);
        seen[record] = true;
        moved += record != index;
        if (index >= RECORDS / GROUP * GROUP)
            assert_int_equal(record, index);
        assert_int_equal(mr_nexmark_shuffled(index, 1, RECORDS), index);
    }
    assert_true(moved > RECORDS * 9 / 10);
    assert_int_equal(mr_nexmark_shuffled(5, GROUP, INT64_MAX), 5 * MR_NEXMARK_SHUFFLE_STEP % GROUP);
}

static void most_refer_to_the_hot_one_and_all_to_recent_ones(void **state)
{
    MR_UNUSED(state);
    enum { DRAWS = 40000 };
    const int64_t event = 50 * 5432 + 30; /* persons up to 5,432, auctions up to 16,298 */
    int64_t hot_sellers = 0;
    int64_t hot_bidders = 0;
    int64_t hot_auctions = 0;
    struct mr_random random;
    mr_random_init(&random, 1, 2);
    for (int draw = 0; draw < DRAWS; draw++) {
        int64_t seller = mr_nexmark_draw_seller(&random, event);
        int64_t bidder = mr_nexmark_draw_bidder(&random, event);
        int64_t auction = mr_nexmark_draw_auction(&random, event);
        assert_in_range(seller, 1000 + 5433 - 1000, 1000 + 5432 + 10);
        assert_in_range(bidder, 1000 + 5433 - 1000, 1000 + 5432 + 10);
        assert_in_range(auction, 1000 + 16298 - 100, 1000 + 16298 + 10);
        hot_sellers += seller == 1000 + 5400;
        hot_bidders += bidder == 1000 + 5401;
        hot_auctions += auction == 1000 + 16200;
    }
    assert_in_range(hot_sellers, DRAWS * 74 / 100, DRAWS * 76 / 100);
    assert_in_range(hot_bidders, DRAWS * 74 / 100, DRAWS * 76 / 100);
    assert_in_range(hot_auctions, DRAWS * 49 / 100, DRAWS * 52 / 100);
}

static void the_first_bids_have_something_to_refer_to(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    mr_random_init(&random, 3, 4);
    for (int draw = 0; draw < 1000; draw++) {
        assert_in_range(mr_nexmark_draw_auction(&random, 4), 1000, 1012);
        assert_in_range(mr_nexmark_draw_bidder(&random, 4), 1000, 1010);
        assert_in_range(mr_nexmark_draw_seller(&random, 1), 1000, 1010);
    }
}

static void prices_are_uniform_in_their_logarithm(void **state)
{
    MR_UNUSED(state);
    int64_t below_thousand_times = 0;
    struct mr_random random;
    mr_random_init(&random, 5, 6);
    for (int draw = 0; draw < 10000; draw++) {
        int64_t price = mr_nexmark_draw_price(&random);
        assert_in_range(price, 100, 100000000);
        below_thousand_times += price < 100000;
    }
    assert_in_range(below_thousand_times, 4800, 5200);
    assert_int_equal(mr_nexmark_open_events(), 1666);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_events_are_one_person_three_auctions_and_46_bids),
        cmocka_unit_test(a_shuffled_stream_has_the_same_records),
        cmocka_unit_test(most_refer_to_the_hot_one_and_all_to_recent_ones),
        cmocka_unit_test(the_first_bids_have_something_to_refer_to),
        cmocka_unit_test(prices_are_uniform_in_their_logarithm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
