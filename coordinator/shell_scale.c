/* coordinator/shell_scale.c — the core's SCALE: how many workers there should be, asked of the API
 * server of Kubernetes. On a thread of its own: a worker that ends waits for the answer. */
#include "base/log.h"
#include "coordinator/internal.h"

static void run_scale(struct mr_coordinator *coordinator, struct mr_work *work)
{
    work->status = mr_kubernetes_client_replicas(
        coordinator->kubernetes, coordinator->options.workers_set, work->data, &work->error);
}

static void finish_scale(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct mr_kubernetes_replicas *scale = work->data;
    struct mr_core_event event = {.kind = MR_CORE_SCALE, .id = work->id};
    event.failed = work->status != MR_OK;
    event.text = work->error.message;
    if (!event.failed && (scale->replicas < 0 || scale->first_ordinal < 0)) {
        event.failed = true;
        event.text = "the answer holds a number below 0";
    } else if (!event.failed) {
        event.replicas = (uint32_t)scale->replicas;
        event.first_ordinal = (uint32_t)scale->first_ordinal;
    }
    if (event.failed)
        MR_LOG_AT(MR_LOG_WARNING, "coordinator",
                  MR_LOG_FIELDS("set", coordinator->options.workers_set), "%s", event.text);
    mr_shell_step(coordinator, &event, now_ms);
}

void mr_shell_scale(struct mr_coordinator *coordinator, uint64_t id)
{
    struct mr_work *work = mr_work_create(run_scale, finish_scale);
    work->id = id;
    work->data = mr_arena_new(&work->arena, 1, sizeof(struct mr_kubernetes_replicas));
    if (mr_work_send(coordinator->scale_ring, work))
        return;
    work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_RETRY,
                           "More than %d questions wait already.", MR_WORK_RING);
    mr_work_later(coordinator, work);
}
