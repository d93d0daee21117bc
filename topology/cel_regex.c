/* topology/cel_regex.c — see cel_regex.h.
 * Design: the tree becomes a program of character tests, forks and assertions. The matcher keeps
 * the set of states that the text read so far can be in; per character each state is visited once.
 * A pattern of plain characters is searched for as bytes. */
#include "topology/cel_regex.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/utf8.h"

enum operation { OP_CLASS, OP_FORK, OP_JUMP, OP_ASSERT, OP_MATCH };

/* Visits of tree nodes while a pattern is compiled: repeats of empty groups produce no states. */
enum { VISITS_MAX = 64 * MR_CEL_REGEX_STATES_MAX };

struct state {
    uint8_t operation;
    uint8_t assertion;
    uint16_t next;  /* FORK, JUMP */
    uint16_t other; /* FORK */
    uint32_t ranges_count;
    const struct mr_cel_regex_range *ranges; /* CLASS */
};

struct mr_cel_regex {
    const struct state *states;
    uint32_t states_count;
    bool is_plain;
    struct mr_slice plain; /* the bytes to look for */
};

struct state_set {
    uint16_t dense[MR_CEL_REGEX_STATES_MAX];
    uint16_t sparse[MR_CEL_REGEX_STATES_MAX];
    uint32_t count;
};

struct mr_cel_regex_scratch {
    struct state_set sets[2];
    uint16_t stack[2 * MR_CEL_REGEX_STATES_MAX];
};

struct builder {
    struct state *states;
    uint32_t count;
    uint32_t visits;
    bool failed;
};

static uint32_t emit(struct builder *builder, struct state state)
{
    if (builder->count >= MR_CEL_REGEX_STATES_MAX) {
        builder->failed = true;
        return 0;
    }
    builder->states[builder->count] = state;
    return builder->count++;
}

static void build(struct builder *builder, const struct mr_cel_regex_node *node);

static void build_choice(struct builder *builder, const struct mr_cel_regex_node *node)
{
    uint32_t jumps = UINT32_MAX; /* chain through `next` of the jumps to the end */
    for (const struct mr_cel_regex_node *child = node->first; child != NULL && !builder->failed;
         child = child->next) {
        if (child->next == NULL) {
            build(builder, child);
            break;
        }
        uint32_t fork = emit(builder, (struct state){.operation = OP_FORK});
        builder->states[fork].next = (uint16_t)builder->count;
        build(builder, child);
        uint32_t jump = emit(builder, (struct state){.operation = OP_JUMP});
        builder->states[jump].ranges_count = jumps;
        jumps = jump;
        builder->states[fork].other = (uint16_t)builder->count;
    }
    while (jumps != UINT32_MAX && !builder->failed) {
        uint32_t previous = builder->states[jumps].ranges_count;
        builder->states[jumps].next = (uint16_t)builder->count;
        builder->states[jumps].ranges_count = 0;
        jumps = previous;
    }
}

static void build_repeat(struct builder *builder, const struct mr_cel_regex_node *node)
{
    uint32_t last = builder->count;
    for (uint32_t i = 0; i < node->minimum && !builder->failed; i++) {
        last = builder->count;
        build(builder, node->first);
    }
    if (builder->failed)
        return;
    if (node->maximum == UINT32_MAX && node->minimum > 0) {
        uint32_t fork = emit(builder, (struct state){.operation = OP_FORK});
        builder->states[fork].next = (uint16_t)last;
        builder->states[fork].other = (uint16_t)builder->count;
        return;
    }
    if (node->maximum == UINT32_MAX) {
        uint32_t fork = emit(builder, (struct state){.operation = OP_FORK});
        builder->states[fork].next = (uint16_t)builder->count;
        build(builder, node->first);
        emit(builder, (struct state){.operation = OP_JUMP, .next = (uint16_t)fork});
        builder->states[fork].other = (uint16_t)builder->count;
        return;
    }
    /* The forks of optional copies leave one by one: each to the end of its own copy, whose next
     * fork may leave again. */
    for (uint32_t i = node->minimum; i < node->maximum && !builder->failed; i++) {
        uint32_t fork = emit(builder, (struct state){.operation = OP_FORK});
        builder->states[fork].next = (uint16_t)builder->count;
        build(builder, node->first);
        builder->states[fork].other = (uint16_t)builder->count;
    }
}

static void build(struct builder *builder, const struct mr_cel_regex_node *node)
{
    if (++builder->visits > VISITS_MAX)
        builder->failed = true;
    if (builder->failed)
        return;
    switch (node->kind) {
    case MR_CEL_REGEX_CLASS:
        emit(builder, (struct state){.operation = OP_CLASS,
                                     .ranges = node->ranges,
                                     .ranges_count = node->ranges_count});
        break;
    case MR_CEL_REGEX_ASSERT:
        emit(builder, (struct state){.operation = OP_ASSERT, .assertion = node->assertion});
        break;
    case MR_CEL_REGEX_SEQUENCE:
        for (const struct mr_cel_regex_node *child = node->first; child != NULL;
             child = child->next)
            build(builder, child);
        break;
    case MR_CEL_REGEX_CHOICE:
        build_choice(builder, node);
        break;
    case MR_CEL_REGEX_REPEAT:
        build_repeat(builder, node);
        break;
    default:
        MR_ASSERT(node->kind == MR_CEL_REGEX_EMPTY);
        break;
    }
}

/* A pattern whose states are single characters only is its own text. */
static void find_plain(struct mr_arena *arena, struct mr_cel_regex *regex)
{
    uint8_t *text = mr_arena_take(arena, regex->states_count * 4u);
    size_t size = 0;
    for (uint32_t i = 0; i + 1 < regex->states_count; i++) {
        const struct state *state = &regex->states[i];
        if (state->operation != OP_CLASS || state->ranges_count != 1 ||
            state->ranges[0].first != state->ranges[0].last ||
            (state->ranges[0].first >= 0xD800 && state->ranges[0].first <= 0xDFFF))
            return;
        size += mr_utf8_encode(state->ranges[0].first, text + size);
    }
    regex->is_plain = true;
    regex->plain = mr_slice_from(text, size);
}

const struct mr_cel_regex *mr_cel_regex_compile(struct mr_arena *arena, struct mr_slice pattern,
                                                const char **problem, size_t *offset)
{
    const struct mr_cel_regex_node *node = mr_cel_regex_parse(arena, pattern, problem, offset);
    if (node == NULL)
        return NULL;
    struct state *room = mr_memory_new(MR_CEL_REGEX_STATES_MAX, sizeof *room);
    struct builder builder = {.states = room};
    struct mr_cel_regex *regex = NULL;
    build(&builder, node);
    emit(&builder, (struct state){.operation = OP_MATCH});
    if (builder.failed) {
        *problem = "the pattern is too large once its repeats are written out";
        *offset = 0;
        goto cleanup;
    }
    regex = mr_arena_new(arena, 1, sizeof *regex);
    struct state *states = mr_arena_new(arena, builder.count, sizeof *states);
    memcpy(states, room, builder.count * sizeof *states);
    regex->states = states;
    regex->states_count = builder.count;
    find_plain(arena, regex);
cleanup:
    mr_memory_free(room);
    return regex;
}

uint32_t mr_cel_regex_states(const struct mr_cel_regex *regex)
{
    return regex->states_count;
}

struct mr_cel_regex_scratch *mr_cel_regex_scratch_create(void)
{
    return mr_memory_new(1, sizeof(struct mr_cel_regex_scratch));
}

void mr_cel_regex_scratch_destroy(struct mr_cel_regex_scratch *scratch)
{
    mr_memory_free(scratch);
}

/* The characters around a position; UINT32_MAX outside of the text. */
struct position {
    uint32_t before;
    uint32_t after;
};

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool holds(uint8_t assertion, struct position position)
{
    switch (assertion) {
    case MR_CEL_REGEX_BEGIN_TEXT:
        return position.before == UINT32_MAX;
    case MR_CEL_REGEX_END_TEXT:
        return position.after == UINT32_MAX;
    case MR_CEL_REGEX_BEGIN_LINE:
        return position.before == UINT32_MAX || position.before == '\n';
    case MR_CEL_REGEX_END_LINE:
        return position.after == UINT32_MAX || position.after == '\n';
    case MR_CEL_REGEX_WORD_EDGE:
        return is_word(position.before) != is_word(position.after);
    default:
        return is_word(position.before) == is_word(position.after);
    }
}

static bool add_to_set(struct state_set *set, uint16_t state)
{
    uint16_t place = set->sparse[state];
    if (place < set->count && set->dense[place] == state)
        return false;
    set->sparse[state] = (uint16_t)set->count;
    set->dense[set->count++] = state;
    return true;
}

/* Add a state and all that it reaches without reading a character. True: the match is found. */
static bool enter(const struct mr_cel_regex *regex, struct mr_cel_regex_scratch *scratch,
                  struct state_set *set, uint16_t first, struct position position)
{
    uint32_t depth = 0;
    scratch->stack[depth++] = first;
    while (depth > 0) {
        uint16_t index = scratch->stack[--depth];
        if (!add_to_set(set, index))
            continue;
        const struct state *state = &regex->states[index];
        if (state->operation == OP_MATCH)
            return true;
        if (state->operation == OP_FORK)
            scratch->stack[depth++] = state->other;
        if (state->operation == OP_FORK || state->operation == OP_JUMP)
            scratch->stack[depth++] = state->next;
        else if (state->operation == OP_ASSERT && holds(state->assertion, position))
            scratch->stack[depth++] = (uint16_t)(index + 1);
    }
    return false;
}

static bool in_ranges(const struct state *state, uint32_t c)
{
    for (uint32_t i = 0; i < state->ranges_count; i++) {
        if (c >= state->ranges[i].first && c <= state->ranges[i].last)
            return true;
    }
    return false;
}

/* The character at `at`; bytes that are not UTF-8 read as U+FFFD. */
static uint32_t next_character(const uint8_t *at, const uint8_t *end, size_t *size)
{
    uint32_t code_point = UINT32_MAX;
    *size = 0;
    if (at == end)
        return code_point;
    if (*at < 0x80) {
        *size = 1;
        return *at;
    }
    *size = mr_utf8_decode(at, end, &code_point);
    if (*size == 0) {
        *size = 1;
        return 0xFFFD;
    }
    return code_point;
}

bool mr_cel_regex_matches(const struct mr_cel_regex *regex, struct mr_cel_regex_scratch *scratch,
                          struct mr_slice text)
{
    if (regex->is_plain)
        return regex->plain.size == 0 ||
               (text.size >= regex->plain.size &&
                memmem(text.data, text.size, regex->plain.data, regex->plain.size) != NULL);
    if (text.size == 0)
        text = mr_slice_text("");
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    struct state_set *current = &scratch->sets[0];
    struct state_set *following = &scratch->sets[1];
    size_t size = 0;
    struct position position = {.before = UINT32_MAX, .after = next_character(at, end, &size)};
    current->count = 0;
    for (;;) {
        if (enter(regex, scratch, current, 0, position))
            return true;
        if (position.after == UINT32_MAX)
            return false;
        uint32_t c = position.after;
        at += size;
        position = (struct position){.before = c, .after = next_character(at, end, &size)};
        following->count = 0;
        for (uint32_t i = 0; i < current->count; i++) {
            uint16_t index = current->dense[i];
            const struct state *state = &regex->states[index];
            if (state->operation == OP_CLASS && in_ranges(state, c) &&
                enter(regex, scratch, following, (uint16_t)(index + 1), position))
                return true;
        }
        struct state_set *swapped = current;
        current = following;
        following = swapped;
    }
}
