/* cli/table.c — see table.h. */
#include "cli/table.h"

#include "base/assert.h"
#include "base/memory.h"

enum { CELLS_FIRST = 128, GAP = 2 };

void mr_table_init(struct mr_table *table, struct mr_arena *arena,
                   const struct mr_table_column *columns)
{
    *table = (struct mr_table){.arena = arena, .columns = columns};
    while (columns[table->columns_count].heading != NULL)
        table->columns_count++;
    MR_ASSERT(table->columns_count > 0 && table->columns_count <= MR_TABLE_COLUMNS_MAX);
}

void mr_table_deinit(struct mr_table *table)
{
    mr_memory_free(table->cells);
    table->cells = NULL;
}

void mr_table_slice(struct mr_table *table, struct mr_slice text)
{
    if (table->cells_count == table->cells_capacity) {
        table->cells_capacity =
            table->cells_capacity == 0 ? CELLS_FIRST : table->cells_capacity * 2;
        table->cells = mr_memory_resize(table->cells, table->cells_capacity * sizeof *table->cells);
    }
    table->cells[table->cells_count++] = text.size == 0 ? "-" : mr_text_escape(table->arena, text);
}

void mr_table_text(struct mr_table *table, const char *text)
{
    mr_table_slice(table, text == NULL ? (struct mr_slice){0} : mr_slice_text(text));
}

void mr_table_count(struct mr_table *table, int64_t count)
{
    mr_table_text(table, mr_text_count(table->arena, count));
}

static void print_cell(FILE *output, const char *text, uint32_t width, bool right, bool last)
{
    uint32_t padding = width - mr_text_width(text);
    if (right)
        (void)fprintf(output, "%*s", (int)padding, "");
    (void)fputs(text, output);
    if (!last)
        (void)fprintf(output, "%*s", (int)(right ? GAP : padding + GAP), "");
}

void mr_table_print(const struct mr_table *table, FILE *output)
{
    uint32_t widths[MR_TABLE_COLUMNS_MAX];
    uint32_t columns_count = table->columns_count;
    MR_ASSERT(table->cells_count % columns_count == 0);
    if (table->cells_count == 0)
        return;
    for (uint32_t column = 0; column < columns_count; column++)
        widths[column] = mr_text_width(table->columns[column].heading);
    for (uint32_t index = 0; index < table->cells_count; index++) {
        uint32_t width = mr_text_width(table->cells[index]);
        uint32_t *widest = &widths[index % columns_count];
        *widest = width > *widest ? width : *widest;
    }
    for (uint32_t index = 0; index < table->cells_count + columns_count; index++) {
        uint32_t column = index % columns_count;
        bool heading = index < columns_count;
        bool last = column == columns_count - 1;
        print_cell(output,
                   heading ? table->columns[column].heading : table->cells[index - columns_count],
                   widths[column], table->columns[column].right, last);
        if (last)
            (void)fputc('\n', output);
    }
}
