/* operators/copula_window.c — see copula_window.h.
 * Design: texts have the same numbers in the whole as in the newest pane that knows a column's
 * kind, its leader: a pane begins with all texts that the whole has, in its order, and weight 0, so
 * that the leader has the texts of all older panes. Texts without weight in any pane go when the
 * next pane opens. */
#include "operators/copula_window.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"

enum { PANES = MR_COPULA_PANES, VERSION = 1, SIZES_AT = 16, HEAD_BYTES = SIZES_AT + 4 * PANES };

uint32_t mr_copula_pane_place(int64_t number)
{
    return (uint32_t)((uint64_t)number % PANES);
}

struct mr_copula_shape mr_copula_pane_shape(const struct mr_copula_shape *shape, uint32_t place)
{
    uint32_t rows = shape->reservoir_rows / PANES;
    return (struct mr_copula_shape){
        .columns_count = shape->columns_count,
        .reservoir_rows = rows > 0 ? rows : 1,
        .seed = shape->seed ^ ((uint64_t)(place + 1) << 48),
    };
}

void mr_copula_window_create(struct mr_copula_window *window, const struct mr_copula_shape *shape)
{
    MR_ASSERT(shape->reservoir_rows >= PANES);
    memset(window, 0, sizeof(*window));
    window->columns_count = shape->columns_count;
    window->panes = mr_memory_new(PANES, sizeof(*window->panes));
    for (uint32_t place = 0; place < PANES; place++) {
        struct mr_copula_shape own = mr_copula_pane_shape(shape, place);
        mr_copula_create(&window->panes[place], &own);
    }
}

void mr_copula_window_destroy(struct mr_copula_window *window)
{
    for (uint32_t place = 0; window->panes != NULL && place < PANES; place++)
        mr_copula_destroy(&window->panes[place]);
    mr_memory_free(window->panes);
}

void mr_copula_window_clear(struct mr_copula_window *window, const struct mr_copula_shape *shape)
{
    window->is_any = false;
    window->newest = 0;
    for (uint32_t place = 0; place < PANES; place++) {
        window->is_open[place] = false;
        window->panes[place].shape = mr_copula_pane_shape(shape, place);
        mr_copula_clear(&window->panes[place]);
    }
}

/* The pane so many before the newest one; NULL: it is not open. */
static struct mr_copula *pane_before(const struct mr_copula_window *window, int64_t before)
{
    uint32_t place = mr_copula_pane_place((int64_t)((uint64_t)window->newest - (uint64_t)before));
    return window->is_any && window->is_open[place] ? &window->panes[place] : NULL;
}

/* ---- The whole ---- */

/* The newest pane that knows the column's kind; NULL: none does. */
static struct mr_copula *leader_of(const struct mr_copula_window *window, uint32_t index)
{
    for (int64_t before = 0; before < PANES; before++) {
        struct mr_copula *pane = pane_before(window, before);
        if (pane != NULL && pane->columns[index].kind != MR_COPULA_UNKNOWN)
            return pane;
    }
    return NULL;
}

static void begin_column(struct mr_copula_column *column, const struct mr_copula *leader,
                         uint32_t index)
{
    memset(column, 0, sizeof(*column));
    if (leader == NULL)
        return;
    column->kind = leader->columns[index].kind;
    if (column->kind != MR_COPULA_TEXT)
        return;
    column->texts = leader->columns[index].texts;
    memset(column->texts.weights, 0, sizeof(column->texts.weights));
}

/* Distributions and rows of all panes, mapped; no moments yet. */
static void gather(const struct mr_copula_window *window, struct mr_copula *whole,
                   struct mr_copula_work *work)
{
    mr_copula_clear(whole);
    for (uint32_t index = 0; index < window->columns_count; index++)
        begin_column(&whole->columns[index], leader_of(window, index), index);
    for (int64_t before = PANES - 1; before >= 0; before--) {
        const struct mr_copula *pane = pane_before(window, before);
        if (pane == NULL)
            continue;
        for (uint32_t index = 0; index < window->columns_count; index++)
            mr_copula_merge_column(&whole->columns[index], &pane->columns[index], pane->weight,
                                   work->sums + (size_t)index * MR_COPULA_TEXTS_MAX);
        whole->rows += pane->rows;
        whole->weight += pane->weight;
        whole->squares += pane->squares;
        mr_copula_merge_rows(whole, pane, work->sums);
    }
    mr_copula_map_columns(whole);
    mr_copula_map_latents(whole);
}

static void sum_moments(const struct mr_copula_window *window, struct mr_copula *whole)
{
    for (int64_t before = PANES - 1; before >= 0; before--) {
        const struct mr_copula *pane = pane_before(window, before);
        if (pane != NULL)
            mr_copula_add_moments(whole, pane);
    }
}

static void make_whole(const struct mr_copula_window *window, struct mr_copula *whole,
                       struct mr_copula_work *work)
{
    gather(window, whole, work);
    sum_moments(window, whole);
}

/* Order the texts anew, and make the moments of every pane anew as the whole scores now. */
static void score_again(struct mr_copula_window *window, struct mr_copula *whole,
                        struct mr_copula_work *work)
{
    mr_copula_order_texts(whole, work);
    mr_copula_map_columns(whole);
    mr_copula_map_latents(whole);
    for (uint32_t index = 0; index < window->columns_count; index++) {
        struct mr_copula *leader = leader_of(window, index);
        if (whole->columns[index].kind != MR_COPULA_TEXT || leader == NULL)
            continue;
        struct mr_copula_texts *texts = &leader->columns[index].texts;
        double weights[MR_COPULA_TEXTS_MAX];
        memcpy(weights, texts->weights, sizeof(weights));
        *texts = whole->columns[index].texts;
        memcpy(texts->weights, weights, sizeof(weights));
    }
    uint32_t first = 0;
    mr_copula_make_moments(whole, whole, work, 0, 0); /* of no rows: zero */
    for (int64_t before = PANES - 1; before >= 0; before--) {
        struct mr_copula *pane = pane_before(window, before);
        if (pane == NULL)
            continue;
        mr_copula_make_moments(pane, whole, work, first, pane->kept);
        mr_copula_add_moments(whole, pane);
        first += pane->kept;
    }
}

/* ---- Panes ---- */

/* The texts that have a weight, in their order, without it. */
static void inherit_texts(struct mr_copula_texts *texts, const struct mr_copula_texts *from)
{
    uint32_t numbers[MR_COPULA_TEXTS_MAX];
    uint32_t ranks = 0;
    for (uint32_t text = 0; text < from->count; text++) {
        if (!(from->weights[text] > 0))
            continue;
        numbers[text] = texts->count;
        texts->sizes[texts->count] = from->sizes[text];
        memcpy(texts->bytes[texts->count], from->bytes[text], MR_COPULA_TEXT_BYTES);
        texts->weights[texts->count++] = 0;
    }
    for (uint32_t rank = 0; rank < from->count; rank++) {
        uint32_t text = from->order[rank];
        if (!(from->weights[text] > 0))
            continue;
        texts->order[ranks] = (uint8_t)numbers[text];
        texts->ranks[numbers[text]] = (uint8_t)ranks++;
    }
}

/* The kind of a column in the pane behind this one. */
static uint8_t kind_behind(const struct mr_copula *pane, uint32_t index, uint8_t known)
{
    bool is_empty = pane != NULL && pane->weight >= MR_COPULA_RETELL_ROWS &&
                    pane->columns[index].missing >= pane->weight;
    return is_empty ? MR_COPULA_UNKNOWN : known;
}

void mr_copula_window_open(struct mr_copula_window *window, struct mr_copula *whole,
                           struct mr_copula_work *work, int64_t number)
{
    MR_ASSERT(!window->is_any || number > window->newest);
    uint8_t kinds[MR_COPULA_COLUMNS_MAX];
    const struct mr_copula *last = pane_before(window, 0);
    for (uint32_t index = 0; index < window->columns_count; index++)
        kinds[index] = kind_behind(last, index, whole->columns[index].kind);
    uint64_t step = window->is_any ? (uint64_t)number - (uint64_t)window->newest : PANES;
    for (uint64_t ahead = 1; ahead <= (step < PANES ? step : PANES); ahead++) {
        uint32_t place = mr_copula_pane_place((int64_t)((uint64_t)number - step + ahead));
        window->is_open[place] = false;
    }
    window->newest = number;
    window->is_any = true;
    gather(window, whole, work);
    uint32_t place = mr_copula_pane_place(number);
    struct mr_copula *pane = &window->panes[place];
    mr_copula_clear(pane);
    for (uint32_t index = 0; index < window->columns_count; index++) {
        pane->columns[index].kind = kinds[index];
        if (kinds[index] == MR_COPULA_TEXT && whole->columns[index].kind == MR_COPULA_TEXT)
            inherit_texts(&pane->columns[index].texts, &whole->columns[index].texts);
    }
    window->is_open[place] = true;
    make_whole(window, whole, work);
}

bool mr_copula_window_learn(struct mr_copula_window *window, struct mr_copula *whole,
                            struct mr_copula_work *work, const struct mr_value *cells,
                            uint32_t rows_count)
{
    struct mr_copula *pane = pane_before(window, 0);
    uint8_t kinds[MR_COPULA_COLUMNS_MAX];
    bool is_other = false;
    MR_ASSERT(pane != NULL && rows_count >= 1 && rows_count <= MR_COPULA_BLOCK_MAX);
    for (uint32_t index = 0; index < window->columns_count; index++)
        kinds[index] = pane->columns[index].kind;
    pane->weight += rows_count;
    pane->squares += rows_count;
    mr_copula_learn_columns(pane, work, cells, rows_count, 1);
    pane->rows += rows_count;
    mr_copula_keep_rows(pane, work, rows_count);
    gather(window, whole, work);
    mr_copula_add_block(pane, whole, work, rows_count);
    sum_moments(window, whole);
    for (uint32_t index = 0; index < window->columns_count; index++)
        is_other = is_other || kinds[index] != pane->columns[index].kind;
    if (!is_other && whole->rows > whole->kept && !mr_copula_has_moved(whole))
        return false;
    score_again(window, whole, work);
    return true;
}

const struct mr_copula *mr_copula_window_pane(const struct mr_copula_window *window)
{
    return pane_before(window, 0);
}

/* ---- Bytes ---- */

static size_t pane_bytes(const struct mr_copula_shape *shape)
{
    struct mr_copula_shape pane = mr_copula_pane_shape(shape, 0);
    return mr_copula_bytes_max(&pane);
}

size_t mr_copula_window_bytes(const struct mr_copula_shape *shape)
{
    return HEAD_BYTES + PANES * pane_bytes(shape);
}

void mr_copula_window_encode(const struct mr_copula_window *window, uint8_t *output)
{
    size_t room = mr_copula_bytes_max(&window->panes[0].shape);
    memset(output, 0, HEAD_BYTES);
    output[0] = VERSION;
    output[1] = window->is_any;
    mr_put_u64le(output + 8, (uint64_t)window->newest);
    for (size_t place = 0; place < PANES; place++) {
        uint8_t *at = output + HEAD_BYTES + place * room;
        size_t size = window->is_open[place] ? mr_copula_encode(&window->panes[place], at) : 0;
        mr_put_u32le(output + SIZES_AT + 4 * place, (uint32_t)size);
        memset(at + size, 0, room - size);
    }
}

static bool decode_panes(struct mr_copula_window *window, struct mr_slice bytes)
{
    size_t room = mr_copula_bytes_max(&window->panes[0].shape);
    if (bytes.size != HEAD_BYTES + PANES * room || bytes.data[0] != VERSION || bytes.data[1] > 1)
        return false;
    window->is_any = bytes.data[1] == 1;
    window->newest = (int64_t)mr_get_u64le(bytes.data + 8);
    for (size_t place = 0; place < PANES; place++) {
        size_t size = mr_get_u32le(bytes.data + SIZES_AT + 4 * place);
        window->is_open[place] = size > 0;
        struct mr_slice pane = mr_slice_from(bytes.data + HEAD_BYTES + place * room, size);
        if (size > room || (size > 0 && !mr_copula_decode_stored(&window->panes[place], pane)))
            return false;
    }
    return !window->is_any || window->is_open[mr_copula_pane_place(window->newest)];
}

bool mr_copula_window_decode(struct mr_copula_window *window, struct mr_copula *whole,
                             struct mr_copula_work *work, struct mr_slice bytes)
{
    bool is_fine = decode_panes(window, bytes);
    if (!is_fine)
        mr_copula_window_clear(window, &whole->shape);
    make_whole(window, whole, work);
    return is_fine;
}
