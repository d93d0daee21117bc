/* tests/unit/formats/fixture.h — what the tests of formats share: decoders and encoders from texts,
 * and seeded random JSON documents. */
#ifndef MR_TEST_FORMATS_FIXTURE_H
#define MR_TEST_FORMATS_FIXTURE_H

#include "base/assert.h"
#include "base/memory.h"
#include "formats/json.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FIXTURE_FIELDS_MAX = 16, FIXTURE_ROWS_MAX = 64 };

/* A decoder with its plan, and the batch that it decoded last. */
struct fixture {
    const struct mr_format_type *format;
    struct mr_arena plan;
    struct mr_arena arena;
    struct mr_field_read fields[FIXTURE_FIELDS_MAX];
    uint32_t fields_count;
    const char *tracked[FIXTURE_FIELDS_MAX];
    uint32_t tracked_count;
    uint32_t slots_count; /* 0: as many as fields */
    const struct mr_options *options;
    void *decoder;
    struct mr_batch batch;
    struct mr_row_error errors[FIXTURE_ROWS_MAX];
    uint32_t errors_count;
};

static inline void fixture_init(struct fixture *fixture, const struct mr_format_type *format)
{
    *fixture = (struct fixture){.format = format};
    mr_arena_init(&fixture->plan, 4096);
    mr_arena_init(&fixture->arena, 1 << 16);
}

/* Read the field at path into the next slot; type as written, NULL: undeclared. */
static inline void fixture_field(struct fixture *fixture, const char *path, const char *type)
{
    struct mr_error error;
    struct mr_field_read *field = &fixture->fields[fixture->fields_count];
    if (mr_path_parse(&fixture->plan, path, &field->path, &error) != MR_OK)
        fail_msg("%s", error.message);
    field->slot = fixture->fields_count++;
    field->type = mr_type_parse(&fixture->plan, type != NULL ? type : "any");
    assert_non_null(field->type);
}

static inline void fixture_track(struct fixture *fixture, const char *name)
{
    fixture->tracked[fixture->tracked_count++] = name;
}

static inline enum mr_status fixture_open(struct fixture *fixture, struct mr_error *error)
{
    struct mr_decoder_open open = {
        .options = fixture->options,
        .fields = fixture->fields,
        .fields_count = fixture->fields_count,
        .tracked_names = fixture->tracked,
        .tracked_count = fixture->tracked_count,
    };
    fixture->decoder = mr_memory_new(1, fixture->format->decoder_size);
    return fixture->format->decoder_open(fixture->decoder, &open, error);
}

static inline void fixture_deinit(struct fixture *fixture)
{
    if (fixture->decoder != NULL)
        fixture->format->decoder_close(fixture->decoder);
    mr_memory_free(fixture->decoder);
    mr_arena_deinit(&fixture->arena);
    mr_arena_deinit(&fixture->plan);
}

/* Decode count payloads as one batch; opens the decoder the first time. Payloads are copied to
 * memory of just their size, so that the address sanitizer sees a read behind their end. */
static inline void fixture_decode(struct fixture *fixture, const struct mr_slice *payloads,
                                  uint32_t count)
{
    struct mr_error error;
    uint8_t *copies[FIXTURE_ROWS_MAX];
    if (fixture->decoder == NULL && fixture_open(fixture, &error) != MR_OK)
        fail_msg("%s", error.message);
    mr_arena_reset(&fixture->arena);
    struct mr_batch_shape shape = {
        .slots_count = fixture->slots_count > 0 ? fixture->slots_count : fixture->fields_count,
        .spans_count = fixture->tracked_count,
    };
    mr_batch_init(&fixture->batch, &fixture->arena, shape, count);
    fixture->batch.rows_count = count;
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = mr_memory_new(payloads[i].size, 1);
        if (payloads[i].size > 0)
            memcpy(copies[i], payloads[i].data, payloads[i].size);
        fixture->batch.payloads[i] = mr_slice_from(copies[i], payloads[i].size);
        fixture->batch.payload_nulls[i] = payloads[i].data == NULL;
    }
    fixture->format->decode(fixture->decoder, &fixture->batch, fixture->errors,
                            &fixture->errors_count);
    /* From here the batch refers to copies that live as long as it does. */
    for (uint32_t slot = 0; slot < shape.slots_count; slot++) {
        struct mr_value *column = mr_batch_column(&fixture->batch, slot);
        for (uint32_t row = 0; row < count; row++)
            column[row] = mr_value_copy(&fixture->arena, column[row]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (payloads[i].data != NULL)
            fixture->batch.payloads[i] =
                mr_arena_copy(&fixture->arena, mr_slice_from(copies[i], payloads[i].size));
        mr_memory_free(copies[i]);
    }
}

static inline void fixture_decode_text(struct fixture *fixture, const char *text)
{
    struct mr_slice payload = mr_slice_text(text);
    fixture_decode(fixture, &payload, 1);
}

static inline struct mr_value fixture_cell(struct fixture *fixture, uint32_t slot, uint32_t row)
{
    return mr_batch_column(&fixture->batch, slot)[row];
}

/* Compare a cell with its JSON text; "absent" and "error" for those. */
static inline void fixture_expect(struct fixture *fixture, uint32_t slot, uint32_t row,
                                  const char *expected)
{
    struct mr_value value = fixture_cell(fixture, slot, row);
    struct mr_buffer text;
    struct mr_error error;
    mr_buffer_init(&text, 1 << 20);
    if (value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_ERROR)
        assert_int_equal(mr_buffer_append_text(&text, mr_kind_name((enum mr_kind)value.kind)),
                         MR_OK);
    else if (mr_json_append_value(&text, value, &error) != MR_OK)
        fail_msg("%s", error.message);
    if (!mr_slice_equal(mr_buffer_view(&text), mr_slice_text(expected)))
        fail_msg("slot %u row %u is %.*s, expected %s", slot, row, (int)text.size,
                 (const char *)text.data, expected);
    mr_buffer_deinit(&text);
}

static inline void fixture_expect_error(struct fixture *fixture, const char *message)
{
    if (fixture->errors_count != 1)
        fail_msg("%u errors, expected: %s", fixture->errors_count, message);
    if (!mr_slice_equal(fixture->errors[0].message, mr_slice_text(message)))
        fail_msg("error '%.*s', expected '%s'", (int)fixture->errors[0].message.size,
                 (const char *)fixture->errors[0].message.data, message);
}

/* ---- Seeded random documents. ---- */

struct generator {
    uint64_t state;
    char text[8192];
    size_t size;
};

static inline uint32_t generator_below(struct generator *generator, uint32_t bound)
{
    generator->state = generator->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(generator->state >> 33) % bound;
}

static inline void generator_add(struct generator *generator, const char *text)
{
    size_t size = strlen(text);
    if (generator->size + size >= sizeof(generator->text))
        return;
    memcpy(generator->text + generator->size, text, size + 1);
    generator->size += size;
}

static inline void generator_space(struct generator *generator)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t ", "\r\n  "};
    generator_add(generator, spaces[generator_below(generator, MR_ARRAY_COUNT(spaces))]);
}

static inline void generator_string(struct generator *generator)
{
    static const char *const pieces[] = {"a",
                                         "plain text of some length",
                                         "é",
                                         "€uro",
                                         "😀",
                                         "\\n",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\\\\",
                                         "\\\"",
                                         "\\/",
                                         "x",
                                         "\\u001f",
                                         "\x7f",
                                         "0123456789abcdef"};
    generator_add(generator, "\"");
    for (uint32_t i = generator_below(generator, 5); i > 0; i--)
        generator_add(generator, pieces[generator_below(generator, MR_ARRAY_COUNT(pieces))]);
    generator_add(generator, "\"");
}

/* Few names, so that paths hit, shapes repeat and names are doubled. */
static inline const char *generator_name(struct generator *generator)
{
    static const char *const names[] = {"a", "b", "c", "d", "long_name_of_a_field", "\\u0061", "é"};
    return names[generator_below(generator, MR_ARRAY_COUNT(names))];
}

static inline void generator_value(struct generator *generator, uint32_t depth);

static inline void generator_object(struct generator *generator, uint32_t depth)
{
    generator_add(generator, "{");
    generator_space(generator);
    for (uint32_t i = 0, count = generator_below(generator, 6); i < count; i++) {
        if (i > 0)
            generator_add(generator, ",");
        generator_space(generator);
        generator_add(generator, "\"");
        generator_add(generator, generator_name(generator));
        generator_add(generator, "\"");
        generator_space(generator);
        generator_add(generator, ":");
        generator_space(generator);
        generator_value(generator, depth + 1);
        generator_space(generator);
    }
    generator_add(generator, "}");
}

static inline void generator_array(struct generator *generator, uint32_t depth)
{
    generator_add(generator, "[");
    for (uint32_t i = 0, count = generator_below(generator, 12); i < count; i++) {
        if (i > 0)
            generator_add(generator, ",");
        generator_space(generator);
        generator_value(generator, depth + 1);
        generator_space(generator);
    }
    generator_add(generator, "]");
}

static inline void generator_value(struct generator *generator, uint32_t depth)
{
    static const char *const scalars[] = {
        "true",     "false",     "null",          "0",   "-0",
        "1",        "-17",       "1.5",           "1e3", "1E-7",
        "-2.25e+2", "123456789", "1767225600000", "0.1", "12345678901234567890",
        "3.0000"};
    uint32_t choice = generator_below(generator, depth > 4 ? 7 : 10);
    if (choice < 4)
        generator_add(generator, scalars[generator_below(generator, MR_ARRAY_COUNT(scalars))]);
    else if (choice < 7)
        generator_string(generator);
    else if (choice < 9)
        generator_object(generator, depth);
    else
        generator_array(generator, depth);
}

/* Change, drop or double a byte or two. */
static inline void generator_damage(struct generator *generator)
{
    static const char bytes[] = "{}[]\",:\\0123456789.eE+-tfn \n\x01\x80\xC3\xED\xF4u/";
    for (uint32_t i = generator_below(generator, 2) + 1; i > 0 && generator->size > 1; i--) {
        size_t place = generator_below(generator, (uint32_t)generator->size);
        char byte = bytes[generator_below(generator, sizeof(bytes) - 1)];
        char *at = generator->text + place;
        switch (generator_below(generator, 3)) {
        case 0:
            *at = byte;
            break;
        case 1:
            memmove(at, at + 1, generator->size - place);
            generator->size--;
            break;
        default:
            if (generator->size + 2 < sizeof(generator->text)) {
                memmove(at + 1, at, generator->size - place + 1);
                *at = byte;
                generator->size++;
            }
        }
    }
}

static inline struct mr_slice generator_view(const struct generator *generator)
{
    return mr_slice_from(generator->text, generator->size);
}

#endif
