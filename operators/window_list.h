/* operators/window_list.h — the group of a key with sessions, counted windows or a running sum; for
 * operators/window_*.c only.
 * Model: a list of entries, each with the times of its first and last row, a number, and a cell of
 * aggregates: in the entry, or, for aggregates with bodies, in an object of its own (window_pane.h)
 * by the entry's number.
 * Object, in this machine's order: head (group_object.h); int64 due, ms; int64 time of the next
 * periodic result, INT64_MAX: nothing changed; int64 counter; then entries: int64 first, int64
 * last, int64 number, cell. */
#ifndef MR_OPERATORS_WINDOW_LIST_H
#define MR_OPERATORS_WINDOW_LIST_H

#include "operators/window_pane.h"

struct mr_window_list {
    struct mr_group_object head;
    int64_t due_ms;
    int64_t tick_ms;
    int64_t counter;
    uint8_t entries[];
};

struct mr_window_entry {
    int64_t first_ms;
    int64_t last_ms;
    int64_t number;
    uint8_t cell[];
};

/* Decide where cells lie. */
void mr_window_list_layout(struct mr_windowing *windowing, uint32_t entries_min);
/* Of bytes that were stored: it has whole entries. */
bool mr_window_list_is_whole(const struct mr_windowing *windowing,
                             const struct mr_window_list *list);
/* Room for entries_min entries, at most MR_WINDOW_PARTS_MAX, and, where that is cheap, for
 * entries_wanted. */
enum mr_status mr_window_list_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, uint32_t entries_min,
                                   uint32_t entries_wanted, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_window_list_get(struct mr_windowing *windowing, struct mr_slice key,
                                  uint64_t hash, struct mr_window_list **list, bool *created,
                                  struct mr_error *error) MR_NODISCARD;
uint32_t mr_window_list_count(const struct mr_windowing *windowing,
                              const struct mr_window_list *list);
struct mr_window_entry *mr_window_list_at(const struct mr_windowing *windowing,
                                          struct mr_window_list *list, uint32_t index);
/* A new entry at index, zeroed. Pre: there is room (capacity). */
struct mr_window_entry *mr_window_list_insert(const struct mr_windowing *windowing,
                                              struct mr_window_list *list, uint32_t index);
void mr_window_list_remove(const struct mr_windowing *windowing, struct mr_window_list *list,
                           uint32_t index);

/* Add a row to the entry's cell; nothing else of the entry changes. Where cells have objects of
 * their own *list is found again. */
enum mr_status mr_window_list_add(struct mr_windowing *windowing,
                                  struct mr_operator_context *context,
                                  const struct mr_windowing_row *row, struct mr_window_list **list,
                                  uint32_t index, enum mr_windowing_fate *fate,
                                  struct mr_error *error) MR_NODISCARD;
/* Merge `count` entries from index on into windowing->merged. MR_INVALID, MR_LIMIT: a function
 * refuses. *list is found again. */
enum mr_status mr_window_list_merge(struct mr_windowing *windowing, struct mr_slice key,
                                    uint64_t hash, struct mr_window_list **list, uint32_t index,
                                    uint32_t count, struct mr_error *error) MR_NODISCARD;
/* Emit what mr_window_list_merge would merge. */
enum mr_status mr_window_list_emit(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list **list, uint32_t index,
                                   uint32_t count, const struct mr_aggregate_span *span,
                                   struct mr_error *error) MR_NODISCARD;
/* Put windowing->merged into the cell of the entry. */
enum mr_status mr_window_list_store(struct mr_windowing *windowing,
                                    struct mr_operator_context *context, struct mr_slice key,
                                    uint64_t hash, struct mr_window_list **list, uint32_t index,
                                    struct mr_error *error) MR_NODISCARD;
/* Forget the entry with its object. */
enum mr_status mr_window_list_drop(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list **list, uint32_t index,
                                   struct mr_error *error) MR_NODISCARD;
/* Take back an entry that was made for a row which then failed; created: and the group. */
enum mr_status mr_window_list_undo(struct mr_windowing *windowing,
                                   struct mr_operator_context *context,
                                   const struct mr_windowing_row *row, struct mr_window_list *list,
                                   uint32_t index, bool created) MR_NODISCARD;
/* Parts that a counted window is made of (window_count.c). */
uint32_t mr_windowing_count_parts(const struct mr_window *window);
/* Remove the group with all its entries (window_count.c). */
enum mr_status mr_windowing_forget(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list *list,
                                   struct mr_error *error) MR_NODISCARD;
/* Set when the group is due. */
void mr_window_list_settle(struct mr_windowing *windowing, struct mr_window_list *list,
                           int64_t due_ms);
/* Note that a periodic result is wanted. */
void mr_window_list_touch(const struct mr_windowing *windowing, struct mr_window_list *list,
                          int64_t time_ms);

#endif
