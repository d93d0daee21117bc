/* tests/unit/base/test_zone_file.c — TZif files: by hand, hostile ones, and this machine's beside
 * Python's zoneinfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/zone_file.h"

enum { FILE_BYTES = 4096, HEADER = 44 };

/* A file as zic writes it, of two steps. */
struct file {
    uint8_t bytes[FILE_BYTES];
    size_t size;
};

static void put(struct file *file, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        file->bytes[file->size++] = (uint8_t)(number >> (8 * i));
}

static void put_block(struct file *file, int time_bytes, uint32_t leap_seconds)
{
    static const int64_t times[] = {1000, 2000};
    memcpy(file->bytes + file->size, "TZif2", 5);
    memset(file->bytes + file->size + 5, 0, 15);
    file->size += 20;
    const uint32_t counts[] = {2, 2, leap_seconds, 2, 2, 8};
    for (size_t i = 0; i < 6; i++)
        put(file, counts[i], 4);
    for (size_t i = 0; i < 2; i++)
        put(file, (uint64_t)times[i], time_bytes);
    put(file, 1, 1);
    put(file, 0, 1);
    for (uint64_t i = 0; i < 2; i++) {
        put(file, 3600 * (i + 1), 4);
        put(file, i << 8 | 4 * i, 2);
    }
    memcpy(file->bytes + file->size, "CET\0CEST", 8);
    file->size += 8;
    for (uint32_t i = 0; i < leap_seconds; i++) {
        put(file, 0, time_bytes);
        put(file, 0, 4);
    }
    put(file, 0, 4);
}

static struct file make(const char *rule, uint32_t leap_seconds)
{
    struct file file = {.size = 0};
    put_block(&file, 4, 0);
    put_block(&file, 8, leap_seconds);
    file.size +=
        (size_t)snprintf((char *)file.bytes + file.size, FILE_BYTES - file.size, "\n%s\n", rule);
    return file;
}

static enum mr_status read_file(const struct file *file, struct mr_arena *arena,
                                const struct mr_zone **zone, struct mr_error *error)
{
    /* Exactly as large as it is: a sanitizer sees what is read behind it. */
    uint8_t *bytes = mr_memory_new(file->size + 1, 1);
    memcpy(bytes, file->bytes, file->size);
    enum mr_status status =
        mr_zone_read(mr_slice_from(bytes, file->size), "Test/Zone", arena, zone, error);
    mr_memory_free(bytes);
    return status;
}

static void a_file_is_read(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_error error;
    const struct mr_zone *zone;
    mr_arena_init(&arena, 1 << 14);
    struct file file = make("CET-1", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_OK);
    assert_string_equal(zone->name, "Test/Zone");
    assert_int_equal(mr_zone_reading_ms(zone, 999999), 4599999);
    assert_int_equal(mr_zone_reading_ms(zone, 1000000), 8200000);
    assert_int_equal(mr_zone_reading_ms(zone, 2000000), 9199999);
    assert_int_equal(mr_zone_reading_ms(zone, 10000000), 13600000);
    file = make("", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_OK);
    file = make("CET-1CEST,M3.5.0,M10.5.0/3", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_OK);
    /* 2026-07-01, and 4,000 years later. */
    int64_t july = INT64_C(1782864000000);
    assert_int_equal(mr_zone_reading_ms(zone, july), july + 7200000);
    july += 10 * MR_ZONE_PERIOD_MS;
    assert_int_equal(mr_zone_reading_ms(zone, july), july + 7200000);
    assert_int_equal(mr_zone_instant_ms(zone, july + 7200000), july);
    /* Daylight time all year: each end is the next begin. */
    file = make("CET-1CEST,0/0,J365/25", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_OK);
    for (int64_t hour = 0; hour < 3 * 8766; hour++) {
        int64_t instant = INT64_C(1893456000000) + hour * 3600000; /* from 2030 on */
        assert_int_equal(mr_zone_reading_ms(zone, instant), instant + 7200000);
    }
    mr_arena_deinit(&arena);
}

static void what_cannot_be_used_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_error error;
    const struct mr_zone *zone;
    mr_arena_init(&arena, 1 << 14);
    struct file file = make("CET-1", 1);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_CORRUPT);
    assert_string_equal(error.message,
                        "the time zone Test/Zone counts leap seconds: take the one without");
    file = make("CET-2", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_CORRUPT);
    assert_string_equal(error.message,
                        "the file of the time zone Test/Zone ends with another offset than its "
                        "rule");
    file = make("CET-1CEST", 0);
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_CORRUPT);
    file = make("CET-1", 0);
    file.bytes[4] = 0; /* version 1 */
    assert_int_equal(read_file(&file, &arena, &zone, &error), MR_CORRUPT);
    assert_string_equal(error.message, "the file of the time zone Test/Zone is torn, or older than "
                                       "version 2 of TZif");
    mr_arena_deinit(&arena);
}

/* No prefix of a file is taken for it, and no change of its bytes does harm: a zone that comes out
 * is one. */
static void hostile_files_do_no_harm(void **state)
{
    MR_UNUSED(state);
    enum { CHANGES = 60000 };
    struct mr_arena arena;
    struct mr_error error;
    const struct mr_zone *zone;
    struct mr_random random;
    uint32_t taken = 0;
    mr_arena_init(&arena, 1 << 18);
    mr_random_init(&random, 12, 1);
    const struct file file = make("CET-1CEST,M3.5.0,M10.5.0/3", 0);
    for (size_t size = 0; size < file.size; size++) {
        struct file torn = file;
        torn.size = size;
        assert_int_equal(read_file(&torn, &arena, &zone, &error), MR_CORRUPT);
        mr_arena_reset(&arena);
    }
    for (uint32_t i = 0; i < CHANGES; i++) {
        struct file changed = file;
        for (uint64_t count = 1 + mr_random_below(&random, 4); count > 0; count--) {
            size_t place = (size_t)mr_random_below(&random, changed.size);
            uint32_t byte = (uint32_t)mr_random_below(&random, 256);
            switch (mr_random_below(&random, 4)) {
            case 0:
                byte = 0xff;
                break;
            case 1:
                byte = 0x7f;
                break;
            case 2:
                byte = changed.bytes[place] ^ (1u << (byte % 8));
                break;
            default:
                break;
            }
            changed.bytes[place] = (uint8_t)byte;
        }
        changed.size -=
            mr_random_below(&random, 10) == 0 ? (size_t)mr_random_below(&random, 40) : 0;
        if (read_file(&changed, &arena, &zone, &error) == MR_OK) {
            int64_t instant = (int64_t)mr_random_below(&random, UINT64_C(1) << 44) - (1 << 30);
            int64_t reading = mr_zone_reading_ms(zone, instant);
            assert_true(mr_zone_reading_ms(zone, instant + 1) >= reading);
            assert_true(mr_zone_instant_ms(zone, reading) <= instant);
            assert_true(mr_zone_instant_ms(zone, reading + 1) > instant);
            taken++;
        }
        mr_arena_reset(&arena);
    }
    assert_true(taken > CHANGES / 10 && taken < CHANGES);
    mr_arena_deinit(&arena);
}

static void names_are_looked_up(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *name;
        enum mr_status status;
        const char *message;
    } cases[] = {
        {"Europe/Berlim", MR_NOT_FOUND,
         "there is no time zone 'Europe/Berlim' in this machine's tz database; did you mean "
         "'Europe/Berlin'?"},
        {"Moon/Tranquillity_Base", MR_NOT_FOUND,
         "there is no time zone 'Moon/Tranquillity_Base' in this machine's tz database, whose "
         "names are as Europe/Berlin"},
        {"Europe", MR_NOT_FOUND, "there is no time zone 'Europe' in"},
        {"Europe/Berlin/Mitte", MR_NOT_FOUND, "there is no time zone 'Europe/Berlin/Mitte' in"},
        {"../../../etc/passwd", MR_INVALID,
         "'../../../etc/passwd' is not the name of a time zone, as Europe/Berlin"},
        {"/etc/passwd", MR_INVALID, "is not the name"},
        {"", MR_INVALID, "is not the name"},
        {"Europe//Berlin", MR_INVALID, "is not the name"},
        {"Europe/", MR_INVALID, "is not the name"},
        {"a23456789b23456789c23456789d23456789e23456789f23456789g23456789h", MR_INVALID, "is not"},
        {"zone1970.tab", MR_INVALID, "is not the name"},
    };
    struct mr_arena arena;
    struct mr_error error;
    const struct mr_zone *zone;
    mr_arena_init(&arena, 1 << 14);
    if (mr_zone_load("Europe/Berlin", &arena, &zone, &error) != MR_OK)
        skip(); /* no tz database here */
    assert_string_equal(zone->name, "Europe/Berlin");
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        assert_int_equal(mr_zone_load(cases[i].name, &arena, &zone, &error), cases[i].status);
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].name, error.message);
    }
    mr_arena_deinit(&arena);
}

static void this_machine_s_zones_are_those_of_zoneinfo(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_error error;
    const struct mr_zone *zone = NULL;
    mr_arena_init(&arena, 1 << 16);
    if (mr_zone_load("Europe/Berlin", &arena, &zone, &error) != MR_OK ||
        system("python3 -c 'import zoneinfo; zoneinfo.ZoneInfo(\"Europe/Berlin\")' >/dev/null "
               "2>&1") != 0)
        skip();
    FILE *reference = popen("python3 -B '" MR_SOURCE_DIR "/tests/support/zone_reference.py'", "r");
    assert_non_null(reference);
    char line[256];
    uint32_t count = 0;
    while (fgets(line, sizeof(line), reference) != NULL) {
        char *rest;
        char *name = strtok_r(line, " ", &rest);
        bool first = strncmp(rest, "first ", 6) == 0;
        int64_t given = strtoll(first ? rest + 6 : rest, &rest, 10);
        int64_t expected = strtoll(rest, NULL, 10);
        if (strcmp(zone->name, name) != 0)
            assert_int_equal(mr_zone_load(name, &arena, &zone, &error), MR_OK);
        int64_t found = first ? mr_zone_instant_ms(zone, given) : mr_zone_reading_ms(zone, given);
        if (found != expected)
            fail_msg("%s: %s %lld is %lld, zoneinfo says %lld", name,
                     first ? "the instant of" : "the reading at", (long long)given,
                     (long long)found, (long long)expected);
        count++;
    }
    assert_int_equal(pclose(reference), 0);
    assert_true(count > 20000);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_cannot_be_used_is_refused),
        cmocka_unit_test(hostile_files_do_no_harm),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(this_machine_s_zones_are_those_of_zoneinfo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
