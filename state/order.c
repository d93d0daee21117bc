/* state/order.c — two lazy heaps and a window over the store's order keys.
 * Design: see state/order.h. A candidate is valid when the layers in memory either do not know its
 * key (then the store's word counts, and mr_order_applied keeps the window true to the store) or
 * know it with exactly the candidate's time. A window node that is not valid can be consumed for
 * good: its order key is deleted by a transaction on its way. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

enum {
    WINDOW_FIRST = 64, /* a window that is dropped early has cost little */
    WINDOW_BYTES = 512 << 10,
    HEAP_FIRST = 256,
    ARENA_CHUNK_BYTES = 64 << 10
};

static void heap_init(struct mr_order_heap *heap)
{
    *heap = (struct mr_order_heap){0};
    mr_arena_init(&heap->keys, ARENA_CHUNK_BYTES);
}

static void heap_deinit(struct mr_order_heap *heap)
{
    mr_memory_free(heap->nodes);
    mr_arena_deinit(&heap->keys);
}

static void heap_clear(struct mr_order_heap *heap)
{
    heap->count = 0;
    mr_arena_reset(&heap->keys);
}

void mr_order_init(struct mr_order *order, uint32_t table_id)
{
    *order = (struct mr_order){0};
    heap_init(&order->active);
    heap_init(&order->sealed);
    mr_arena_init(&order->window_keys, ARENA_CHUNK_BYTES);
    order->window = mr_memory_new(MR_ORDER_WINDOW_NODES, sizeof *order->window);
    order->cursor = mr_memory_new(1, MR_KEY_BYTES_MAX + 1);
    mr_order_reset(order, table_id);
}

void mr_order_deinit(struct mr_order *order)
{
    heap_deinit(&order->active);
    heap_deinit(&order->sealed);
    mr_arena_deinit(&order->window_keys);
    mr_memory_free(order->window);
    mr_memory_free(order->cursor);
    *order = (struct mr_order){0};
}

void mr_order_reset(struct mr_order *order, uint32_t table_id)
{
    heap_clear(&order->active);
    heap_clear(&order->sealed);
    mr_arena_reset(&order->window_keys);
    order->window_count = 0;
    order->window_head = 0;
    order->window_portion = WINDOW_FIRST;
    order->exhausted = false;
    order->cursor_size = mr_key_write_plain(order->cursor, table_id, MR_KEY_ORDER);
}

/* ---- Heaps ---- */

static bool node_less(const struct mr_order_node *left, const struct mr_order_node *right)
{
    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms;
    return mr_slice_compare(left->key, right->key) < 0;
}

static void sift_down(struct mr_order_heap *heap, size_t place)
{
    struct mr_order_node node = heap->nodes[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && node_less(&heap->nodes[child + 1], &heap->nodes[child]))
            child++;
        if (!node_less(&heap->nodes[child], &node))
            break;
        heap->nodes[place] = heap->nodes[child];
        place = child;
    }
    heap->nodes[place] = node;
}

static void heap_pop(struct mr_order_heap *heap)
{
    heap->nodes[0] = heap->nodes[--heap->count];
    if (heap->count > 0)
        sift_down(heap, 0);
}

void mr_order_push(struct mr_order *order, int64_t time_ms, struct mr_slice key)
{
    struct mr_order_heap *heap = &order->active;
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? HEAP_FIRST : heap->capacity * 2;
        heap->nodes = mr_memory_resize(heap->nodes, heap->capacity * sizeof *heap->nodes);
    }
    struct mr_order_node node = {.time_ms = time_ms, .key = mr_arena_copy(&heap->keys, key)};
    size_t place = heap->count++;
    while (place > 0 && node_less(&node, &heap->nodes[(place - 1) / 2])) {
        heap->nodes[place] = heap->nodes[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->nodes[place] = node;
}

uint64_t mr_order_bytes(const struct mr_order *order)
{
    return order->active.keys.used_bytes + order->active.count * sizeof(struct mr_order_node);
}

void mr_order_seal(struct mr_order *order)
{
    MR_ASSERT(order->sealed.count == 0);
    struct mr_order_heap heap = order->sealed;
    order->sealed = order->active;
    order->active = heap;
}

void mr_order_release(struct mr_order *order)
{
    heap_clear(&order->sealed);
}

/* Take away the nodes that equal the top: one of them is always its child. */
static void drop_copies(struct mr_order_heap *heap)
{
    for (size_t child = 1; child <= 2 && child < heap->count;) {
        if (node_less(&heap->nodes[0], &heap->nodes[child])) {
            child++;
        } else {
            heap->nodes[child] = heap->nodes[--heap->count];
            if (child < heap->count)
                sift_down(heap, child);
        }
    }
}

/* The least valid node of a heap, or NULL. */
static const struct mr_order_node *heap_oldest(struct mr_table *table, struct mr_order_heap *heap)
{
    while (heap->count > 0) {
        struct mr_order_node *top = &heap->nodes[0];
        struct mr_presence presence = mr_table_presence(table, top->key, mr_hash64(top->key));
        if (!presence.known || !presence.exists || presence.time_ms < top->time_ms) {
            /* Dropped since, or its time went back: then a node of its own has that time. */
            heap_pop(heap);
        } else if (presence.time_ms > top->time_ms) {
            top->time_ms = presence.time_ms;
            sift_down(heap, 0);
        } else {
            drop_copies(heap);
            return top;
        }
    }
    return NULL;
}

/* ---- The window ---- */

struct window_reading {
    struct mr_order *order;
    size_t bytes;
    bool corrupt;
    bool stopped;
};

static bool read_node(void *argument, struct mr_slice stored_key, struct mr_slice value)
{
    struct window_reading *reading = argument;
    struct mr_order *order = reading->order;
    struct mr_key key;
    struct mr_stored_order stored;
    if (order->window_count == order->window_portion || reading->bytes > WINDOW_BYTES) {
        reading->stopped = true;
        return false;
    }
    if (!mr_key_parse(stored_key, &key) || key.kind != MR_KEY_ORDER ||
        !mr_stored_order_parse(value, &stored)) {
        reading->corrupt = true;
        return false;
    }
    reading->bytes += key.user.size;
    order->window[order->window_count++] = (struct mr_order_node){
        .time_ms = key.time_ms,
        .key = mr_arena_copy(&order->window_keys, key.user),
        .slots_count = stored.slots_count,
        .bytes = stored.bytes,
    };
    return true;
}

static enum mr_status read_window(struct mr_table *table, struct mr_error *error)
{
    struct mr_order *order = &table->order;
    struct mr_state *state = table->state;
    struct window_reading reading = {.order = order};
    uint8_t end[MR_KEY_HEAD_BYTES];
    mr_key_write_plain(end, table->id, MR_KEY_ORDER + 1);
    mr_arena_reset(&order->window_keys);
    order->window_count = 0;
    order->window_head = 0;
    enum mr_status status =
        state->ops->scan(state->store, mr_slice_from(order->cursor, order->cursor_size),
                         mr_slice_from(end, sizeof end), read_node, &reading, error);
    if (status != MR_OK)
        return status;
    if (reading.corrupt)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "an order key of table %s of operator %s is damaged", table->name,
                       table->operator_name);
    order->exhausted = !reading.stopped;
    if (order->window_portion < MR_ORDER_WINDOW_NODES)
        order->window_portion *= 2;
    return MR_OK;
}

/* Move the cursor to a window node, or behind it. */
static void set_cursor(struct mr_order *order, const struct mr_order_node *node, bool behind)
{
    uint32_t table_id = (uint32_t)order->cursor[0] << 24 | (uint32_t)order->cursor[1] << 16 |
                        (uint32_t)order->cursor[2] << 8 | order->cursor[3];
    order->cursor_size = mr_key_write_order(order->cursor, table_id, node->time_ms, node->key);
    if (behind)
        order->cursor[order->cursor_size++] = 0;
}

static enum mr_status window_oldest(struct mr_table *table, const struct mr_order_node **oldest,
                                    struct mr_error *error)
{
    struct mr_order *order = &table->order;
    *oldest = NULL;
    for (;;) {
        while (order->window_head < order->window_count) {
            const struct mr_order_node *node = &order->window[order->window_head];
            if (!node->dead) {
                struct mr_presence presence =
                    mr_table_presence(table, node->key, mr_hash64(node->key));
                if (!presence.known || (presence.exists && presence.time_ms == node->time_ms)) {
                    *oldest = node;
                    return MR_OK;
                }
            }
            set_cursor(order, node, true);
            order->window_head++;
        }
        if (order->exhausted)
            return MR_OK;
        enum mr_status status = read_window(table, error);
        if (status != MR_OK)
            return status;
    }
}

/* The node of a window that holds this order key, or NULL. */
static struct mr_order_node *window_find(struct mr_order *order, const struct mr_order_node *wanted)
{
    size_t low = order->window_head;
    size_t high = order->window_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (node_less(&order->window[middle], wanted))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == order->window_count || node_less(wanted, &order->window[low]))
        return NULL;
    return &order->window[low];
}

void mr_order_applied(struct mr_order *order, struct mr_slice stored_key, bool deleted)
{
    struct mr_key key;
    bool parsed = mr_key_parse(stored_key, &key);
    MR_ASSERT(parsed && key.kind == MR_KEY_ORDER);
    struct mr_order_node wanted = {.time_ms = key.time_ms, .key = key.user};
    struct mr_order_node *node = window_find(order, &wanted);
    if (deleted) {
        if (node != NULL)
            node->dead = true;
        return;
    }
    bool in_window = order->window_head < order->window_count;
    struct mr_slice cursor = mr_slice_from(order->cursor, order->cursor_size);
    if (mr_slice_compare(stored_key, cursor) < 0) {
        memcpy(order->cursor, stored_key.data, stored_key.size);
        order->cursor_size = stored_key.size;
    } else if (in_window && node_less(&order->window[order->window_count - 1], &wanted)) {
        /* Behind the window: the next portion has it. */
        order->exhausted = false;
        return;
    } else if (in_window) {
        set_cursor(order, &order->window[order->window_head], false);
        if (mr_slice_compare(stored_key, mr_slice_from(order->cursor, order->cursor_size)) < 0) {
            memcpy(order->cursor, stored_key.data, stored_key.size);
            order->cursor_size = stored_key.size;
        }
    }
    order->window_count = 0;
    order->window_head = 0;
    order->window_portion = WINDOW_FIRST;
    order->exhausted = false;
}

enum mr_status mr_order_oldest(struct mr_table *table, struct mr_order_node *node, bool *found,
                               struct mr_error *error)
{
    const struct mr_order_node *window;
    enum mr_status status = window_oldest(table, &window, error);
    if (status != MR_OK)
        return status;
    const struct mr_order_node *candidates[] = {
        window,
        heap_oldest(table, &table->order.active),
        heap_oldest(table, &table->order.sealed),
    };
    *found = false;
    for (size_t i = 0; i < MR_ARRAY_COUNT(candidates); i++) {
        if (candidates[i] != NULL && (!*found || node_less(candidates[i], node))) {
            *node = *candidates[i];
            *found = true;
        }
    }
    return MR_OK;
}

/* Up to which time all order keys are in the window. */
static int64_t window_reach(const struct mr_order *order)
{
    if (order->exhausted)
        return INT64_MAX;
    int64_t last_ms = order->window[order->window_count - 1].time_ms;
    return last_ms == INT64_MIN ? last_ms : last_ms - 1;
}

enum mr_status mr_order_horizon(struct mr_table *table, int64_t wanted_ms, int64_t *until_ms,
                                struct mr_error *error)
{
    struct mr_order *order = &table->order;
    const struct mr_order_node *oldest;
    enum mr_status status = window_oldest(table, &oldest, error);
    if (status != MR_OK)
        return status;
    if (window_reach(order) < wanted_ms &&
        order->window_count - order->window_head < MR_ORDER_WINDOW_NODES / 2) {
        /* A small one, or one that is nearly consumed: take as much as there may be at once. */
        set_cursor(order, &order->window[order->window_head], false);
        order->window_portion = MR_ORDER_WINDOW_NODES;
        status = read_window(table, error);
        if (status == MR_OK)
            status = window_oldest(table, &oldest, error);
    }
    *until_ms = window_reach(order);
    return status;
}
