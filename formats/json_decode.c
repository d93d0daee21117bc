/* formats/json_decode.c — one validating pass over a record that fills just the columns read.
 * Design: the paths that are read form a trie; a member that is no node of it is skipped,
 * validated.
 * Records of one source mostly have one shape. Each object node therefore remembers, by position,
 * the bytes from behind one value to the next value (`,"name":` with its space) and what they
 * lead to; the same bytes at the same position were validated before and need one comparison.
 * When they differ, the positions beside it are tried (an optional member is there or not), then
 * the member is read the long way; a position learns anew only after it was wrong a few times in
 * a row.
 * A node counts the record in which it was last met: a name that occurs twice empties the cells
 * below it first, so that the last one wins. */
#include "formats/json_decode.h"

#include "base/memory.h"
#include "record/json_value.h"

enum {
    SHAPE_POSITIONS = 64, /* members beyond it are read the long way */
    SHAPE_BYTES = 64,     /* longer names too */
    SHAPE_BYTES_MIN = 4,  /* ,"":  */
    SHAPE_WINDOW = 3,     /* positions ahead that are tried */
    SHAPE_MISSES_MAX = 4  /* in a row, before a position learns anew */
};

struct shape_entry {
    uint8_t size; /* 0: nothing remembered */
    uint8_t name_offset;
    uint8_t misses_count;       /* since the last match */
    struct mr_json_node *child; /* NULL: nobody reads it */
    uint8_t bytes[SHAPE_BYTES];
};

struct shape {
    struct shape_entry entries[SHAPE_POSITIONS];
};

struct mr_json_node {
    struct mr_slice name; /* data NULL: an element */
    uint32_t index;
    uint32_t span;  /* of a tracked member, else MR_SLOT_NONE */
    uint32_t field; /* first field that reads the whole value, else MR_SLOT_NONE */
    bool has_members;
    bool has_elements;
    uint64_t met_record;
    struct mr_json_node *children; /* list by `next` */
    struct mr_json_node *next;
    struct shape *shape; /* with members only */
};

struct mr_json_field {
    uint32_t slot;
    uint32_t next; /* field that reads the same value, else MR_SLOT_NONE */
    const struct mr_type *type;
};

/* ---- Opening: the trie. ---- */

static struct mr_json_node *add_child(struct mr_json_decoder *decoder, struct mr_json_node *parent,
                                      const char *name, size_t name_size, uint32_t index)
{
    bool element = name == NULL;
    for (struct mr_json_node *child = parent->children; child != NULL; child = child->next) {
        if (element ? child->name.data == NULL && child->index == index
                    : child->name.data != NULL &&
                          mr_slice_equal(child->name, mr_slice_from(name, name_size)))
            return child;
    }
    struct mr_json_node *child = &decoder->nodes[decoder->nodes_count++];
    child->index = index;
    child->span = MR_SLOT_NONE;
    child->field = MR_SLOT_NONE;
    if (!element)
        child->name = mr_slice_from(mr_memory_copy_bytes(name, name_size), name_size);
    child->next = parent->children;
    parent->children = child;
    parent->has_elements |= element;
    parent->has_members |= !element;
    return child;
}

static void add_field(struct mr_json_decoder *decoder, const struct mr_field_read *read)
{
    struct mr_json_node *node = &decoder->nodes[0];
    for (uint32_t i = 0; i < read->path.steps_count; i++) {
        const struct mr_path_step *step = &read->path.steps[i];
        node = add_child(decoder, node, step->name, step->name_size, step->index);
    }
    uint32_t index = decoder->fields_count++;
    decoder->fields[index] =
        (struct mr_json_field){.slot = read->slot, .next = node->field, .type = read->type};
    node->field = index;
}

enum mr_status mr_json_decoder_open(void *self, const struct mr_decoder_open *open,
                                    struct mr_error *error)
{
    struct mr_json_decoder *decoder = self;
    (void)error;
    size_t nodes_max = 1 + (size_t)open->tracked_count;
    for (uint32_t i = 0; i < open->fields_count; i++)
        nodes_max += open->fields[i].path.steps_count;
    *decoder = (struct mr_json_decoder){.spans_count = open->tracked_count};
    decoder->nodes = mr_memory_new(nodes_max, sizeof(*decoder->nodes));
    decoder->nodes_count = 1;
    decoder->nodes[0].span = MR_SLOT_NONE;
    decoder->nodes[0].field = MR_SLOT_NONE;
    decoder->nodes[0].has_members = true;
    decoder->fields = mr_memory_new(open->fields_count, sizeof(*decoder->fields));
    decoder->columns = mr_memory_new(open->fields_count, sizeof(struct mr_value *));
    decoder->spans = mr_memory_new(open->tracked_count, sizeof(struct mr_span *));
    for (uint32_t i = 0; i < open->fields_count; i++)
        add_field(decoder, &open->fields[i]);
    for (uint32_t i = 0; i < open->tracked_count; i++) {
        const char *name = open->tracked_names[i];
        add_child(decoder, &decoder->nodes[0], name, strlen(name), 0)->span = i;
    }
    for (uint32_t i = 0; i < decoder->nodes_count; i++) {
        if (decoder->nodes[i].has_members)
            decoder->nodes[i].shape = mr_memory_new(1, sizeof(struct shape));
    }
    return MR_OK;
}

void mr_json_decoder_close(void *self)
{
    struct mr_json_decoder *decoder = self;
    for (uint32_t i = 0; i < decoder->nodes_count; i++) {
        mr_memory_free((void *)(uintptr_t)decoder->nodes[i].name.data);
        mr_memory_free(decoder->nodes[i].shape);
    }
    mr_memory_free(decoder->nodes);
    mr_memory_free(decoder->fields);
    mr_memory_free(decoder->columns);
    mr_memory_free(decoder->spans);
    *decoder = (struct mr_json_decoder){0};
}

/* ---- Members by shape. ---- */

static uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Equality of size bytes, 4 <= size, by words that overlap at the end. */
static inline bool same_bytes(const uint8_t *left, const uint8_t *right, size_t size)
{
    if (size < 8)
        return load32(left) == load32(right) && load32(left + size - 4) == load32(right + size - 4);
    if (size <= 16)
        return ((load64(left) ^ load64(right)) |
                (load64(left + size - 8) ^ load64(right + size - 8))) == 0;
    if (size <= 32)
        return ((load64(left) ^ load64(right)) | (load64(left + 8) ^ load64(right + 8)) |
                (load64(left + size - 16) ^ load64(right + size - 16)) |
                (load64(left + size - 8) ^ load64(right + size - 8))) == 0;
    return memcmp(left, right, size) == 0;
}

static inline bool matches(const struct shape_entry *entry, const uint8_t *from, const uint8_t *end)
{
    return entry->size != 0 && (size_t)(end - from) >= entry->size &&
           same_bytes(from, entry->bytes, entry->size);
}

/* What a member's name and place led to. */
struct member {
    const uint8_t *name_at;
    const uint8_t *value_at;
    struct mr_json_node *child;
    bool closed; /* no member: value_at is behind the object */
};

/* The position near `position` whose bytes are at `from`, or SHAPE_POSITIONS. */
static uint32_t find_nearby(const struct shape *shape, uint32_t position, const uint8_t *from,
                            const uint8_t *end)
{
    for (uint32_t i = position + 1; i <= position + SHAPE_WINDOW && i < SHAPE_POSITIONS; i++) {
        if (matches(&shape->entries[i], from, end))
            return i;
    }
    /* Not the first: its bytes start with the brace, and would stand in for a comma. */
    if (position > 1 && position <= SHAPE_POSITIONS &&
        matches(&shape->entries[position - 1], from, end))
        return position - 1;
    return SHAPE_POSITIONS;
}

static void remember(struct shape *shape, uint32_t position, const uint8_t *from,
                     const struct member *member)
{
    size_t size = (size_t)(member->value_at - from);
    if (position >= SHAPE_POSITIONS || size > SHAPE_BYTES || size < SHAPE_BYTES_MIN)
        return;
    struct shape_entry *entry = &shape->entries[position];
    if (entry->size != 0 && ++entry->misses_count < SHAPE_MISSES_MAX)
        return;
    memcpy(entry->bytes, from, size);
    entry->size = (uint8_t)size;
    entry->name_offset = (uint8_t)(member->name_at - from);
    entry->misses_count = 0;
    entry->child = member->child;
}

static struct mr_json_node *find_member(const struct mr_json_node *node, struct mr_slice name)
{
    for (struct mr_json_node *child = node->children; child != NULL; child = child->next) {
        if (child->name.data != NULL && mr_slice_equal(child->name, name))
            return child;
    }
    return NULL;
}

static bool refuse(struct mr_json_scan *scan, const uint8_t *at, const char *phrase)
{
    mr_json_fail(scan, at, phrase);
    return false;
}

/* From '{' or from behind a value to the next value or behind '}'. */
static bool read_member(struct mr_json_scan *scan, const struct mr_json_node *node,
                        const uint8_t *from, bool first, struct member *member)
{
    const uint8_t *at = first ? from + 1 : from;
    at = mr_json_skip_space(at, scan->end);
    if (at < scan->end && *at == '}') {
        *member = (struct member){.value_at = at + 1, .closed = true};
        return true;
    }
    if (!first) {
        if (at == scan->end || *at != ',')
            return refuse(scan, at, "expected ',' or '}'");
        at = mr_json_skip_space(at + 1, scan->end);
    }
    if (at == scan->end || *at != '"')
        return refuse(scan, at, "expected a name");
    bool escaped;
    const uint8_t *name_end = mr_json_string_end(scan, at + 1, &escaped);
    if (name_end == NULL)
        return false;
    struct mr_slice name = escaped ? mr_json_unescape(scan, at + 1, name_end)
                                   : mr_slice_from(at + 1, (size_t)(name_end - at - 1));
    member->closed = false;
    member->name_at = at;
    member->child = find_member(node, name);
    at = mr_json_skip_space(name_end + 1, scan->end);
    if (at == scan->end || *at != ':')
        return refuse(scan, at, "expected ':'");
    member->value_at = mr_json_skip_space(at + 1, scan->end);
    return true;
}

/* ---- Values. ---- */

static void clear_cells(struct mr_json_decoder *decoder, const struct mr_json_node *node)
{
    for (uint32_t i = node->field; i != MR_SLOT_NONE; i = decoder->fields[i].next)
        decoder->columns[i][decoder->row] = (struct mr_value){.kind = MR_KIND_ABSENT};
    for (const struct mr_json_node *child = node->children; child != NULL; child = child->next)
        clear_cells(decoder, child);
}

static const uint8_t *decode_value(struct mr_json_decoder *decoder, struct mr_json_node *node,
                                   const uint8_t *at, uint32_t depth);

static const uint8_t *decode_member(struct mr_json_decoder *decoder, const struct member *member,
                                    uint32_t depth)
{
    struct mr_json_node *child = member->child;
    const uint8_t *next = decode_value(decoder, child, member->value_at, depth);
    if (next == NULL || child->span == MR_SLOT_NONE)
        return next;
    struct mr_span *span = &decoder->spans[child->span][decoder->row];
    if (span->value_size != 0)
        return mr_json_fail(
            &decoder->scan, member->name_at,
            "expected names that the topology writes only once, but one is repeated");
    span->name_offset = (uint32_t)(member->name_at - decoder->scan.start);
    span->value_offset = (uint32_t)(member->value_at - decoder->scan.start);
    span->value_size = (uint32_t)(next - member->value_at);
    return next;
}

/* The member behind `from`, by shape or the long way; *position moves to the one expected next. */
static inline bool next_member(struct mr_json_scan *scan, const struct mr_json_node *node,
                               const uint8_t *from, bool first, uint32_t *position,
                               struct member *member)
{
    struct shape_entry *entries = node->shape->entries;
    if (*position >= SHAPE_POSITIONS || !matches(&entries[*position], from, scan->end)) {
        uint32_t nearby = find_nearby(node->shape, *position, from, scan->end);
        if (nearby == SHAPE_POSITIONS) {
            if (!read_member(scan, node, from, first, member))
                return false;
            if (!member->closed)
                remember(node->shape, (*position)++, from, member);
            return true;
        }
        *position = nearby;
    }
    struct shape_entry *entry = &entries[(*position)++];
    entry->misses_count = 0;
    member->name_at = from + entry->name_offset;
    /* This record may have more space behind the colon than the one that was remembered. */
    member->value_at = mr_json_skip_space(from + entry->size, scan->end);
    member->child = entry->child;
    member->closed = false;
    return true;
}

/* The members of an object whose '{' is at `at`. */
static const uint8_t *decode_object(struct mr_json_decoder *decoder, struct mr_json_node *node,
                                    const uint8_t *at, uint32_t depth)
{
    struct mr_json_scan *scan = &decoder->scan;
    uint32_t position = 0;
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    const uint8_t *from = at;
    for (bool first = true;; first = false) {
        struct member member;
        if (!next_member(scan, node, from, first, &position, &member))
            return NULL;
        if (member.closed)
            return member.value_at;
        if (member.child == NULL)
            from = mr_json_skip_value(scan, member.value_at, depth + 1);
        else
            from = decode_member(decoder, &member, depth + 1);
        if (from == NULL)
            return NULL;
        if (from < scan->end && *from == '}')
            return from + 1;
    }
}

static struct mr_json_node *find_element(const struct mr_json_node *node, uint32_t index)
{
    for (struct mr_json_node *child = node->children; child != NULL; child = child->next) {
        if (child->name.data == NULL && child->index == index)
            return child;
    }
    return NULL;
}

static const uint8_t *decode_array(struct mr_json_decoder *decoder, struct mr_json_node *node,
                                   const uint8_t *at, uint32_t depth)
{
    struct mr_json_scan *scan = &decoder->scan;
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    at = mr_json_skip_space(at + 1, scan->end);
    if (at < scan->end && *at == ']')
        return at + 1;
    for (uint32_t index = 0;; index++) {
        struct mr_json_node *child = find_element(node, index);
        at = mr_json_skip_space(at, scan->end);
        at = child != NULL ? decode_value(decoder, child, at, depth + 1)
                           : mr_json_skip_value(scan, at, depth + 1);
        if (at == NULL)
            return NULL;
        at = mr_json_skip_space(at, scan->end);
        if (at == scan->end || (*at != ',' && *at != ']'))
            return mr_json_fail(scan, at, "expected ',' or ']'");
        if (*at++ == ']')
            return at;
    }
}

/* The value of a node: into its fields, and into those below it. */
static const uint8_t *decode_value(struct mr_json_decoder *decoder, struct mr_json_node *node,
                                   const uint8_t *at, uint32_t depth)
{
    struct mr_json_scan *scan = &decoder->scan;
    const uint8_t *next = NULL;
    if (node->met_record == decoder->record)
        clear_cells(decoder, node);
    node->met_record = decoder->record;
    for (uint32_t i = node->field; i != MR_SLOT_NONE; i = decoder->fields[i].next) {
        struct mr_value *cell = &decoder->columns[i][decoder->row];
        next = mr_json_read_value(scan, at, decoder->fields[i].type, depth, cell);
        if (next == NULL)
            return NULL;
    }
    /* A value that is read as a whole and in part is passed over twice: rare, and the simplest. */
    if (node->has_members && at < scan->end && *at == '{')
        return decode_object(decoder, node, at, depth);
    if (node->has_elements && at < scan->end && *at == '[')
        return decode_array(decoder, node, at, depth);
    return next != NULL ? next : mr_json_skip_value(scan, at, depth);
}

/* ---- Records. ---- */

static bool decode_record(struct mr_json_decoder *decoder, struct mr_slice payload)
{
    struct mr_json_scan *scan = &decoder->scan;
    scan->start = payload.data;
    scan->end = payload.data + payload.size;
    decoder->record++;
    const uint8_t *at = mr_json_skip_space(scan->start, scan->end);
    if (at == scan->end)
        return refuse(scan, at, "expected a value");
    if (*at != '{')
        return refuse(scan, at, "a record must be a JSON object, but it starts otherwise");
    if (payload.size > MR_LIMIT_RECORD_BYTES)
        return refuse(scan, at, "a record must not be larger than 64 MiB");
    at = decode_object(decoder, &decoder->nodes[0], at, 0);
    if (at == NULL)
        return false;
    at = mr_json_skip_space(at, scan->end);
    return at == scan->end || refuse(scan, at, "expected the end of the text");
}

void mr_json_decode(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                    uint32_t *errors_count)
{
    struct mr_json_decoder *decoder = self;
    for (uint32_t i = 0; i < decoder->fields_count; i++)
        decoder->columns[i] = mr_batch_column(batch, decoder->fields[i].slot);
    for (uint32_t i = 0; i < decoder->spans_count; i++)
        decoder->spans[i] = mr_batch_span(batch, i);
    decoder->scan.arena = batch->arena;
    *errors_count = 0;
    for (uint32_t row = 0; row < batch->rows_count; row++) {
        if (batch->payload_nulls[row])
            continue; /* a tombstone has no fields */
        decoder->row = row;
        if (decode_record(decoder, batch->payloads[row]))
            continue;
        errors[*errors_count] =
            (struct mr_row_error){.row = row, .message = mr_json_error_text(&decoder->scan)};
        (*errors_count)++;
        clear_cells(decoder, &decoder->nodes[0]);
        for (uint32_t i = 0; i < decoder->spans_count; i++)
            decoder->spans[i][row] = (struct mr_span){0};
    }
}
