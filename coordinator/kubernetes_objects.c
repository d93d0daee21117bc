/* coordinator/kubernetes_objects.c — see kubernetes_objects.h. */
#include "coordinator/kubernetes_objects.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"

#include <pthread.h>

struct mr_kubernetes_objects {
    pthread_mutex_t mutex;
    struct mr_kubernetes_object *items[MR_KUBERNETES_OBJECTS_MAX];
    uint32_t count;
    bool listed[MR_KUBERNETES_KINDS];
    bool full; /* said once */
};

struct mr_kubernetes_objects *mr_kubernetes_objects_create(void)
{
    struct mr_kubernetes_objects *objects = mr_memory_new(1, sizeof(*objects));
    int failed = pthread_mutex_init(&objects->mutex, NULL);
    MR_ASSERT(failed == 0);
    return objects;
}

static void destroy_object(struct mr_kubernetes_object *object)
{
    json_decref(object->incoming);
    json_decref(object->json);
    json_decref(object->findings);
    mr_memory_free(object->id);
    mr_memory_free(object->topology);
    mr_memory_free(object->attempted);
    mr_memory_free(object->message);
    mr_memory_free(object);
}

void mr_kubernetes_objects_clear(struct mr_kubernetes_objects *objects)
{
    (void)pthread_mutex_lock(&objects->mutex);
    for (uint32_t index = 0; index < objects->count; index++)
        destroy_object(objects->items[index]);
    objects->count = 0;
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++)
        objects->listed[kind] = false;
    (void)pthread_mutex_unlock(&objects->mutex);
}

void mr_kubernetes_objects_destroy(struct mr_kubernetes_objects *objects)
{
    if (objects == NULL)
        return;
    mr_kubernetes_objects_clear(objects);
    (void)pthread_mutex_destroy(&objects->mutex);
    mr_memory_free(objects);
}

/* ---- Noting; with the mutex held ---- */

static struct mr_kubernetes_object *find(struct mr_kubernetes_objects *objects,
                                         enum mr_kubernetes_kind kind, const char *id)
{
    for (uint32_t index = 0; index < objects->count; index++)
        if (objects->items[index]->kind == kind && strcmp(objects->items[index]->id, id) == 0)
            return objects->items[index];
    return NULL;
}

static struct mr_kubernetes_object *add(struct mr_kubernetes_objects *objects,
                                        enum mr_kubernetes_kind kind, const char *id)
{
    if (objects->count == MR_KUBERNETES_OBJECTS_MAX) {
        if (!objects->full)
            MR_LOG_AT(MR_LOG_ERROR, "kubernetes", NULL,
                      "there are more than %d topologies and ConfigMaps with topologies: the rest "
                      "is left out",
                      MR_KUBERNETES_OBJECTS_MAX);
        objects->full = true;
        return NULL;
    }
    struct mr_kubernetes_object *object = mr_memory_new(1, sizeof(*object));
    object->kind = kind;
    object->id = mr_memory_copy_text(id);
    objects->items[objects->count++] = object;
    return object;
}

static void note_listing(struct mr_kubernetes_objects *objects, enum mr_kubernetes_kind kind,
                         bool ended)
{
    for (uint32_t index = 0; index < objects->count; index++) {
        struct mr_kubernetes_object *object = objects->items[index];
        if (object->kind != kind)
            continue;
        object->missing = ended ? object->missing || !object->seen : object->missing;
        object->seen = false;
    }
    objects->listed[kind] = objects->listed[kind] || ended;
}

void mr_kubernetes_objects_note(struct mr_kubernetes_objects *objects, enum mr_kubernetes_kind kind,
                                enum mr_kubernetes_event event, const json_t *object)
{
    const char *id =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
    (void)pthread_mutex_lock(&objects->mutex);
    if (event == MR_KUBERNETES_LISTING || event == MR_KUBERNETES_LISTED) {
        note_listing(objects, kind, event == MR_KUBERNETES_LISTED);
    } else if (id != NULL) {
        struct mr_kubernetes_object *known = find(objects, kind, id);
        if (known == NULL && event == MR_KUBERNETES_OBJECT)
            known = add(objects, kind, id);
        if (known != NULL) {
            known->seen = event == MR_KUBERNETES_OBJECT;
            known->missing = event == MR_KUBERNETES_DELETED;
            json_decref(known->incoming);
            known->incoming = json_deep_copy(object);
        }
    }
    (void)pthread_mutex_unlock(&objects->mutex);
}

/* ---- Objects as the API server has them ---- */

bool mr_kubernetes_has_finalizer(const json_t *object)
{
    const json_t *list = json_object_get(json_object_get(object, "metadata"), "finalizers");
    for (size_t index = 0; index < json_array_size(list); index++) {
        const char *name = json_string_value(json_array_get(list, index));
        if (name != NULL && strcmp(name, MR_KUBERNETES_FINALIZER) == 0)
            return true;
    }
    return false;
}

bool mr_kubernetes_is_deleting(const json_t *object)
{
    return json_object_get(json_object_get(object, "metadata"), "deletionTimestamp") != NULL;
}

/* ---- Taking ---- */

static const char *uid_of(const json_t *object)
{
    const char *uid =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "uid"));
    return uid != NULL ? uid : "";
}

/* Another object of the same name: what was noted about the last one is void. */
static void forget(struct mr_kubernetes_object *object)
{
    json_decref(object->findings);
    mr_memory_free(object->topology);
    mr_memory_free(object->attempted);
    mr_memory_free(object->message);
    *object = (struct mr_kubernetes_object){.kind = object->kind,
                                            .id = object->id,
                                            .incoming = object->incoming,
                                            .json = object->json,
                                            .seen = object->seen,
                                            .missing = object->missing};
}

/* What came last becomes the newest. */
static void take_incoming(struct mr_kubernetes_object *object)
{
    if (object->incoming == NULL)
        return;
    if (strcmp(uid_of(object->json), uid_of(object->incoming)) != 0)
        forget(object);
    json_decref(object->json);
    object->json = object->incoming;
    object->incoming = NULL;
    object->fresh = true;
}

/* Nothing is deleted with a finalizer on it, unless it was marked so before: such a ConfigMap has
 * lost its label. It may be marked once it is released. */
static bool is_released(const struct mr_kubernetes_object *object)
{
    return object->missing && object->kind == MR_KUBERNETES_CONFIG_MAP &&
           mr_kubernetes_has_finalizer(object->json) &&
           (object->released || !mr_kubernetes_is_deleting(object->json));
}

bool mr_kubernetes_objects_take(struct mr_kubernetes_objects *objects,
                                struct mr_kubernetes_object *const **items, uint32_t *count)
{
    bool listed = true;
    (void)pthread_mutex_lock(&objects->mutex);
    uint32_t kept = 0;
    for (uint32_t index = 0; index < objects->count; index++) {
        struct mr_kubernetes_object *object = objects->items[index];
        take_incoming(object);
        object->released = is_released(object);
        if (object->missing && !object->released) { /* its finalizer is gone: all was done */
            destroy_object(object);
            continue;
        }
        objects->items[kept++] = object;
    }
    objects->count = kept;
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++)
        listed = listed && objects->listed[kind];
    *items = objects->items;
    *count = kept;
    (void)pthread_mutex_unlock(&objects->mutex);
    return listed;
}
