/* tests/unit/coordinator/test_election.c — candidates over one model log: it keeps records in
 * order, and whoever initialises last is the only one that can write. */
#include "coordinator/election.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CANDIDATES = 3, RECORDS = 4096, STEP_MS = 10, REQUEST_MS = 20 };

struct candidate {
    struct mr_election *election;
    bool runs;
    bool paused; /* its process stands still; the log goes on without it */
    bool cut;    /* from the log: requests neither end nor fail */
    uint32_t read_count;
    enum mr_election_command_kind asked; /* the request that is under way */
    bool asks;
    uint64_t done_ms;
    struct mr_election_command request;
    uint32_t leads_count; /* LEAD commands */
    uint64_t led_ms;
    bool leads; /* between LEAD and FOLLOW, but for suspensions */
    bool suspended;
    bool resigned;
    enum mr_election_command_kind order[64];
    uint32_t order_count;
};

struct fixture {
    struct candidate candidates[CANDIDATES];
    struct mr_leader_record records[RECORDS];
    uint32_t records_count;
    uint32_t writer; /* CANDIDATES: nobody */
    uint64_t now_ms;
};

static void step(struct fixture *fixture, uint32_t index, const struct mr_election_event *event);

static void take(struct fixture *fixture, uint32_t index, const struct mr_election_command *command)
{
    struct candidate *candidate = &fixture->candidates[index];
    if (candidate->order_count < 64)
        candidate->order[candidate->order_count++] = command->kind;
    switch (command->kind) {
    case MR_ELECTION_READ_TO_END:
    case MR_ELECTION_INITIALISE:
    case MR_ELECTION_WRITE:
        assert_false(candidate->asks); /* one request at a time */
        candidate->asks = true;
        candidate->request = *command;
        candidate->done_ms = fixture->now_ms + REQUEST_MS;
        break;
    case MR_ELECTION_LEAD:
        candidate->leads = true;
        candidate->led_ms = fixture->now_ms;
        candidate->leads_count++;
        assert_int_equal(fixture->records[fixture->records_count - 1].term, command->leader.term);
        break;
    case MR_ELECTION_SUSPEND:
        assert_true(candidate->leads);
        candidate->leads = false;
        candidate->suspended = true;
        break;
    case MR_ELECTION_RESUME:
        assert_true(candidate->suspended);
        candidate->leads = true;
        candidate->suspended = false;
        break;
    case MR_ELECTION_FOLLOW:
        candidate->leads = false;
        candidate->suspended = false;
        candidate->asks = false;
        if (fixture->writer == index)
            fixture->writer = CANDIDATES;
        break;
    case MR_ELECTION_GONE:
        candidate->resigned = true;
        break;
    }
}

static void step(struct fixture *fixture, uint32_t index, const struct mr_election_event *event)
{
    struct mr_election *election = fixture->candidates[index].election;
    struct mr_election_command command;
    mr_election_step(election, event, fixture->now_ms);
    while (mr_election_command(election, &command))
        take(fixture, index, &command);
}

static void read_records(struct fixture *fixture, uint32_t index)
{
    struct candidate *candidate = &fixture->candidates[index];
    while (candidate->read_count < fixture->records_count) {
        struct mr_election_event event = {.kind = MR_ELECTION_RECORD,
                                          .leader = &fixture->records[candidate->read_count++]};
        step(fixture, index, &event);
    }
}

static void answer(struct fixture *fixture, uint32_t index)
{
    struct candidate *candidate = &fixture->candidates[index];
    struct mr_election_command request = candidate->request;
    candidate->asks = false;
    struct mr_election_event event = {.kind = MR_ELECTION_DONE, .id = request.id};
    if (request.kind == MR_ELECTION_READ_TO_END) {
        read_records(fixture, index);
    } else if (request.kind == MR_ELECTION_INITIALISE) {
        fixture->writer = index;
    } else {
        event.failed = fixture->writer != index;
        assert_true(fixture->records_count < RECORDS);
        if (!event.failed)
            fixture->records[fixture->records_count++] = request.leader;
    }
    step(fixture, index, &event);
}

static void run(struct fixture *fixture, uint64_t ms)
{
    for (uint64_t end = fixture->now_ms + ms; fixture->now_ms < end;) {
        fixture->now_ms += STEP_MS;
        for (uint32_t i = 0; i < CANDIDATES; i++) {
            struct candidate *candidate = &fixture->candidates[i];
            if (!candidate->runs || candidate->paused)
                continue;
            if (candidate->asks && !candidate->cut && fixture->now_ms >= candidate->done_ms)
                answer(fixture, i);
            if (!candidate->asks && !candidate->cut)
                read_records(fixture, i);
            if (fixture->now_ms % 100 == 0)
                step(fixture, i, &(struct mr_election_event){.kind = MR_ELECTION_TICK});
        }
    }
}

static void start(struct fixture *fixture, uint32_t index)
{
    static const char *const addresses[CANDIDATES] = {"tcp://a", "tcp://b", "tcp://c"};
    struct mr_election_options options = {
        .candidate = index + 1, .seed = 7, .address = addresses[index], .http = "localhost:80"};
    mr_election_destroy(fixture->candidates[index].election);
    fixture->candidates[index] =
        (struct candidate){.runs = true, .election = mr_election_create(&options)};
}

static void begin(struct fixture *fixture, uint32_t count)
{
    *fixture = (struct fixture){.writer = CANDIDATES, .now_ms = 1000};
    for (uint32_t i = 0; i < count; i++)
        start(fixture, i);
}

static void end(struct fixture *fixture)
{
    for (uint32_t i = 0; i < CANDIDATES; i++)
        mr_election_destroy(fixture->candidates[i].election);
}

static uint32_t leader(const struct fixture *fixture)
{
    uint32_t found = CANDIDATES;
    for (uint32_t i = 0; i < CANDIDATES; i++)
        if (fixture->candidates[i].runs && fixture->candidates[i].leads)
            found = found == CANDIDATES ? i : CANDIDATES + 1;
    return found;
}

static void test_the_order_of_a_take_over(void **state)
{
    (void)state;
    static const enum mr_election_command_kind expected[] = {
        MR_ELECTION_READ_TO_END, /* the first look */
        MR_ELECTION_READ_TO_END, MR_ELECTION_INITIALISE, MR_ELECTION_READ_TO_END,
        MR_ELECTION_WRITE,       MR_ELECTION_LEAD,       MR_ELECTION_WRITE};
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 2000);
    struct candidate *candidate = &fixture.candidates[0];
    assert_true(candidate->leads);
    assert_true(candidate->led_ms < 1500); /* nobody ever led: there is no silence to wait for */
    for (uint32_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(candidate->order[i], expected[i]);
    assert_int_equal(fixture.records[0].term, 1);
    assert_string_equal(fixture.records[0].address, "tcp://a");
    for (uint32_t i = 1; i < fixture.records_count; i++)
        assert_int_equal(fixture.records[i].beat, i + 1);
    assert_true(fixture.records_count >= 3 && fixture.records_count <= 4); /* every 500 ms */
    end(&fixture);
}

static void test_of_two_candidates_one_leads(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 2);
    run(&fixture, 30000);
    assert_true(leader(&fixture) < CANDIDATES);
    uint64_t term = fixture.records[fixture.records_count - 1].term;
    run(&fixture, 30000);
    assert_int_equal(fixture.records[fixture.records_count - 1].term, term); /* and goes on */
    end(&fixture);
}

static void test_silence_is_waited_for_and_then_ended(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    start(&fixture, 1);
    run(&fixture, 5000);
    assert_int_equal(leader(&fixture), 0);
    fixture.candidates[0].runs = false;
    uint64_t died = fixture.now_ms;
    run(&fixture, 1900);
    assert_false(fixture.candidates[1].leads);
    run(&fixture, 2100);
    assert_true(fixture.candidates[1].leads);
    assert_true(fixture.candidates[1].led_ms - died < 3500);
    assert_int_equal(fixture.records[fixture.records_count - 1].term, 2);
    end(&fixture);
}

static void test_a_paused_leader_wakes_up_and_steps_down(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    start(&fixture, 1);
    run(&fixture, 1000);
    fixture.candidates[0].paused = true;
    run(&fixture, 6000);
    assert_true(fixture.candidates[1].leads);
    uint32_t records = fixture.records_count;
    fixture.candidates[0].paused = false;
    run(&fixture, 100);
    assert_false(fixture.candidates[0].leads);
    run(&fixture, 10000);
    assert_int_equal(leader(&fixture), 1);
    for (uint32_t i = records; i < fixture.records_count; i++)
        assert_int_equal(fixture.records[i].candidate, 2);
    end(&fixture);
}

static void test_a_fenced_leader_waits_before_it_tries_again(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    fixture.writer = 2; /* somebody initialises, and dies before it commits a term */
    uint64_t fenced = fixture.now_ms;
    run(&fixture, 700);
    assert_false(fixture.candidates[0].leads);
    run(&fixture, 10000);
    assert_true(fixture.candidates[0].leads);
    assert_true(fixture.candidates[0].led_ms - fenced >= 3000);
    assert_int_equal(fixture.records[fixture.records_count - 1].term, 2);
    end(&fixture);
}

static void test_a_failed_write_of_the_core_ends_the_lead(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    step(&fixture, 0, &(struct mr_election_event){.kind = MR_ELECTION_DONE, .failed = true});
    assert_false(fixture.candidates[0].leads);
    run(&fixture, 2900);
    assert_false(fixture.candidates[0].leads);
    run(&fixture, 3000);
    assert_true(fixture.candidates[0].leads);
    end(&fixture);
}

static void test_a_resigned_leader_is_followed_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    start(&fixture, 1);
    run(&fixture, 1000);
    uint64_t asked = fixture.now_ms;
    step(&fixture, 0, &(struct mr_election_event){.kind = MR_ELECTION_RESIGN});
    run(&fixture, 500);
    assert_true(fixture.candidates[0].resigned);
    assert_false(fixture.candidates[0].leads);
    assert_true(fixture.candidates[1].leads);
    assert_true(fixture.candidates[1].led_ms - asked < 400);
    fixture.candidates[1].runs = false;
    run(&fixture, 20000);
    assert_false(fixture.candidates[0].leads); /* never again */
    end(&fixture);
}

static void test_who_does_not_lead_resigns_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    start(&fixture, 1);
    run(&fixture, 1000);
    step(&fixture, 1, &(struct mr_election_event){.kind = MR_ELECTION_RESIGN});
    assert_true(fixture.candidates[1].resigned);
    assert_int_equal(leader(&fixture), 0);
    end(&fixture);
}

static void test_a_slow_log_suspends_the_only_candidate_and_costs_no_term(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    fixture.candidates[0].cut = true;
    run(&fixture, 8000);
    assert_true(fixture.candidates[0].suspended);
    uint32_t records = fixture.records_count;
    fixture.candidates[0].cut = false;
    run(&fixture,
        50); /* what took long is committed: it is old news, and another one is asked for */
    assert_int_equal(fixture.records_count, records + 1);
    assert_true(fixture.candidates[0].suspended);
    run(&fixture, 200);
    assert_true(fixture.candidates[0].leads);
    assert_int_equal(fixture.candidates[0].leads_count, 1);
    assert_int_equal(fixture.records[fixture.records_count - 1].term, 1);
    end(&fixture);
}

static void test_a_suspended_leader_gives_up_in_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    fixture.candidates[0].cut = true;
    run(&fixture, 31000);
    assert_true(fixture.candidates[0].suspended);
    run(&fixture, 2000);
    assert_false(fixture.candidates[0].suspended);
    fixture.candidates[0].cut = false;
    run(&fixture, 8000);
    assert_true(fixture.candidates[0].leads);
    assert_int_equal(fixture.candidates[0].leads_count, 2);
    end(&fixture);
}

static void test_a_suspended_leader_resigns_without_a_word(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    fixture.candidates[0].cut = true;
    run(&fixture, 3000);
    step(&fixture, 0, &(struct mr_election_event){.kind = MR_ELECTION_RESIGN});
    assert_true(fixture.candidates[0].resigned);
    assert_false(fixture.candidates[0].leads);
    end(&fixture);
}

static void test_a_leader_that_cannot_write_steps_down_by_itself(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1);
    run(&fixture, 3000);
    start(&fixture, 1);
    run(&fixture, 1000);
    fixture.candidates[0].cut = true;
    uint64_t cut = fixture.now_ms;
    while (fixture.candidates[0].leads)
        run(&fixture, STEP_MS);
    assert_true(fixture.now_ms - cut <= 2100);
    assert_true(fixture.candidates[0].suspended);
    assert_false(fixture.candidates[1].leads); /* it falls silent before anybody else tries */
    run(&fixture, 3000);
    assert_int_equal(leader(&fixture), 1);
    fixture.candidates[0].cut = false;
    run(&fixture, 200);
    assert_false(fixture.candidates[0].suspended); /* its write was refused */
    run(&fixture, 10000);
    assert_int_equal(leader(&fixture), 1);
    end(&fixture);
}

static void test_a_failed_look_is_made_again(void **state)
{
    (void)state;
    struct mr_election_options options = {.candidate = 1, .address = "", .http = ""};
    struct mr_election *election = mr_election_create(&options);
    struct mr_election_event tick = {.kind = MR_ELECTION_TICK};
    struct mr_election_command command;
    mr_election_step(election, &tick, 100);
    assert_true(mr_election_command(election, &command));
    assert_int_equal(command.kind, MR_ELECTION_READ_TO_END);
    assert_false(mr_election_command(election, &command));
    mr_election_step(election, &tick, 200);
    assert_false(mr_election_command(election, &command));
    struct mr_election_event done = {.kind = MR_ELECTION_DONE, .id = command.id, .failed = true};
    mr_election_step(election, &done, 300);
    mr_election_step(election, &tick, 400);
    assert_true(mr_election_command(election, &command));
    assert_int_equal(command.kind, MR_ELECTION_READ_TO_END);
    mr_election_destroy(election);
}

/* Whatever stops and wakes: terms rise, and no two commit heartbeats in turn. */
static void test_random_faults_leave_one_line_of_terms(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture fixture;
        struct mr_random random;
        mr_random_init(&random, seed, 0);
        begin(&fixture, CANDIDATES);
        for (uint32_t i = 0; i < 40; i++) {
            struct candidate *candidate = &fixture.candidates[mr_random_below(&random, CANDIDATES)];
            switch (mr_random_below(&random, 4)) {
            case 0:
                candidate->paused = !candidate->paused;
                break;
            case 1:
                candidate->cut = !candidate->cut;
                break;
            case 2:
                start(&fixture, (uint32_t)(candidate - fixture.candidates));
                break;
            default:
                break;
            }
            run(&fixture, mr_random_below(&random, 4000));
        }
        for (uint32_t i = 1; i < fixture.records_count; i++) {
            const struct mr_leader_record *before = &fixture.records[i - 1];
            const struct mr_leader_record *after = &fixture.records[i];
            if (after->term == before->term)
                assert_true(after->candidate == before->candidate && after->beat > before->beat);
            else
                assert_true(after->term > before->term);
        }
        for (uint32_t i = 0; i < CANDIDATES; i++)
            fixture.candidates[i].paused = fixture.candidates[i].cut = false;
        run(&fixture, 20000);
        assert_true(leader(&fixture) < CANDIDATES);
        end(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_of_a_take_over),
        cmocka_unit_test(test_of_two_candidates_one_leads),
        cmocka_unit_test(test_silence_is_waited_for_and_then_ended),
        cmocka_unit_test(test_a_paused_leader_wakes_up_and_steps_down),
        cmocka_unit_test(test_a_fenced_leader_waits_before_it_tries_again),
        cmocka_unit_test(test_a_failed_write_of_the_core_ends_the_lead),
        cmocka_unit_test(test_a_resigned_leader_is_followed_at_once),
        cmocka_unit_test(test_who_does_not_lead_resigns_at_once),
        cmocka_unit_test(test_a_slow_log_suspends_the_only_candidate_and_costs_no_term),
        cmocka_unit_test(test_a_suspended_leader_gives_up_in_the_end),
        cmocka_unit_test(test_a_suspended_leader_resigns_without_a_word),
        cmocka_unit_test(test_a_leader_that_cannot_write_steps_down_by_itself),
        cmocka_unit_test(test_a_failed_look_is_made_again),
        cmocka_unit_test(test_random_faults_leave_one_line_of_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
