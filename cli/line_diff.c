/* cli/line_diff.c — the differing lines of two texts, with three lines around them.
 * Design: equal lines at both ends are set aside; what is between is compared by its longest common
 * subsequence, a table of at most CELLS_MAX cells. Beyond that (thousands of changed lines) the
 * lines between are given as replaced. */
#include "cli/cluster.h"

#include "base/memory.h"

enum { CELLS_MAX = 16 << 20, AROUND = 3 };

struct lines {
    const struct mr_slice *items;
    uint32_t count;
};

struct edit {
    char sign; /* ' ', '-', '+' */
    struct mr_slice line;
};

struct edits {
    struct edit *items;
    uint32_t count;
};

static struct lines split(struct mr_arena *arena, const char *text)
{
    uint32_t count = 0;
    for (const char *cursor = text; *cursor != '\0'; cursor++)
        count += *cursor == '\n' || cursor[1] == '\0';
    struct mr_slice *items = mr_arena_new(arena, count, sizeof *items);
    const char *start = text;
    for (uint32_t index = 0; index < count; index++) {
        const char *end = strchr(start, '\n');
        size_t size = end == NULL ? strlen(start) : (size_t)(end - start);
        items[index] = mr_slice_from(start, size);
        start += size + 1;
    }
    return (struct lines){.items = items, .count = count};
}

static void add(struct edits *edits, char sign, struct mr_slice line)
{
    edits->items[edits->count++] = (struct edit){.sign = sign, .line = line};
}

/* lengths[i][j]: of the longest common subsequence of before[i..] and after[j..]. */
static uint32_t *make_table(struct lines before, struct lines after)
{
    uint32_t width = after.count + 1;
    uint32_t *table = mr_memory_new((size_t)(before.count + 1) * width, sizeof *table);
    for (uint32_t i = before.count; i-- > 0;)
        for (uint32_t j = after.count; j-- > 0;) {
            uint32_t down = table[(size_t)(i + 1) * width + j];
            uint32_t right = table[(size_t)i * width + j + 1];
            table[(size_t)i * width + j] = mr_slice_equal(before.items[i], after.items[j])
                                               ? table[(size_t)(i + 1) * width + j + 1] + 1
                                               : (down > right ? down : right);
        }
    return table;
}

static void compare(struct lines before, struct lines after, struct edits *edits)
{
    uint32_t width = after.count + 1;
    uint32_t i = 0;
    uint32_t j = 0;
    bool small = (uint64_t)(before.count + 1) * width <= CELLS_MAX;
    uint32_t *table = small ? make_table(before, after) : NULL;
    while (i < before.count && j < after.count && small) {
        if (mr_slice_equal(before.items[i], after.items[j])) {
            add(edits, ' ', before.items[i++]);
            j++;
        } else if (table[(size_t)(i + 1) * width + j] >= table[(size_t)i * width + j + 1]) {
            add(edits, '-', before.items[i++]);
        } else {
            add(edits, '+', after.items[j++]);
        }
    }
    while (i < before.count)
        add(edits, '-', before.items[i++]);
    while (j < after.count)
        add(edits, '+', after.items[j++]);
    mr_memory_free(table);
}

static bool is_near_change(const struct edits *edits, uint32_t index)
{
    uint32_t first = index < AROUND ? 0 : index - AROUND;
    uint32_t last = index + AROUND < edits->count ? index + AROUND : edits->count - 1;
    for (uint32_t at = first; at <= last; at++)
        if (edits->items[at].sign != ' ')
            return true;
    return false;
}

static void print_edits(const struct edits *edits)
{
    uint32_t line = 1; /* of the text before */
    bool gap = true;
    for (uint32_t index = 0; index < edits->count; index++) {
        const struct edit *edit = &edits->items[index];
        bool shown = is_near_change(edits, index);
        if (shown && gap)
            printf("@@ line %u @@\n", line);
        if (shown) {
            (void)putchar(edit->sign);
            mr_text_write(stdout, edit->line);
            (void)putchar('\n');
        }
        gap = !shown;
        line += edit->sign != '+';
    }
}

void mr_cluster_print_lines(struct mr_server *server, const char *before, const char *after)
{
    struct lines old = split(&server->arena, before);
    struct lines new = split(&server->arena, after);
    struct edits edits = {
        .items = mr_memory_new((size_t)old.count + new.count + 1, sizeof *edits.items)};
    uint32_t head = 0;
    uint32_t tail = 0;
    while (head < old.count && head < new.count &&mr_slice_equal(old.items[head], new.items[head]))
        head++;
    while (tail < old.count - head &&
           tail < new.count - head &&mr_slice_equal(old.items[old.count - 1 - tail],
                                                    new.items[new.count - 1 - tail]))
        tail++;
    for (uint32_t index = 0; index < head; index++)
        add(&edits, ' ', old.items[index]);
    compare((struct lines){old.items + head, old.count - head - tail},
            (struct lines){new.items + head, new.count - head - tail}, &edits);
    for (uint32_t index = old.count - tail; index < old.count; index++)
        add(&edits, ' ', old.items[index]);
    print_edits(&edits);
    mr_memory_free(edits.items);
}
