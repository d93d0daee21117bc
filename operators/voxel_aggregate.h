/* operators/voxel_aggregate.h — what the files of voxel.aggregate share: an instance, and what of
 * it is in which file. Internal to them. Memory, threads: as of operators. */
#ifndef MR_OPERATORS_VOXEL_AGGREGATE_H
#define MR_OPERATORS_VOXEL_AGGREGATE_H

#include "operators/voxel_points.h"

struct mr_voxels {
    const struct mr_plan_node *node;
    struct mr_voxel_reading reading;
    struct mr_voxel_store store;
    struct mr_voxel_hand hand;
    struct mr_voxel_rows rows;
    int64_t every_ms;
    int64_t now_ms;  /* the watermark up to which all that was due is told */
    int64_t next_ms; /* no change is due before, and no layer but those that the hand knows of */
    bool more;       /* something was left at now_ms */
    bool may_stop;
    struct mr_arena scratch; /* of one thing that is due */
};

/* ---- voxel_tell.c: what is due ---- */

/* Voxels of the block of index are told at due_ms: those that its object holds then, and, is_held,
 * those that `held` does. Errors: those of tables. */
enum mr_status mr_voxels_note(struct mr_voxels *voxels, struct mr_arena *arena, struct mr_slice key,
                              const struct mr_voxel_index *index, int64_t due_ms, bool is_held,
                              struct mr_error *error) MR_NODISCARD;
/* Tell all that is due up to now_ms. MR_AGAIN, only when may_stop: some is left. */
enum mr_status mr_voxels_move_on(struct mr_voxels *voxels, struct mr_operator_context *context,
                                 int64_t now_ms, struct mr_error *error) MR_NODISCARD;
/* For .horizon. */
enum mr_status mr_voxels_horizon(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                                 struct mr_error *error) MR_NODISCARD;

/* ---- voxel_reset.c: control records ---- */

/* Rows of the input `control`. Errors: those of tables; what is wrong with a row is reported. */
enum mr_status mr_voxels_control(struct mr_voxels *voxels, struct mr_operator_context *context,
                                 struct mr_view view, struct mr_error *error) MR_NODISCARD;
/* Remove some blocks that a reset has left behind, if there are any. */
enum mr_status mr_voxels_sweep(struct mr_voxels *voxels, struct mr_error *error) MR_NODISCARD;

/* ---- voxel_query.c ---- */

/* For .describe_state. */
enum mr_status mr_voxels_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                  struct mr_state_description *description,
                                  struct mr_error *error) MR_NODISCARD;

#endif
