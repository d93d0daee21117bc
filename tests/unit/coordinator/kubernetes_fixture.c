/* tests/unit/coordinator/kubernetes_fixture.c — see kubernetes_fixture.h. */
#include "tests/unit/coordinator/kubernetes_fixture.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PATH_SIZE = 512, AWAIT_MS = 20000 };

/* ---- The store; with the mutex held ---- */

static int find(const struct kubernetes_fixture *fixture, const char *path)
{
    for (int index = 0; index < KUBERNETES_OBJECTS_MAX; index++)
        if (path == NULL
                ? fixture->paths[index] == NULL
                : fixture->paths[index] != NULL && strcmp(fixture->paths[index], path) == 0)
            return index;
    return -1;
}

static void happen(struct kubernetes_fixture *fixture, int index, const char *type)
{
    char version[32];
    json_t *object = fixture->objects[index];
    const char *end = strrchr(fixture->paths[index], '/');
    (void)snprintf(version, sizeof(version), "%lld", (long long)++fixture->version);
    (void)json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                              json_string(version));
    assert_true(fixture->events_count < KUBERNETES_EVENTS_MAX);
    fixture->events[fixture->events_count++] =
        json_pack("{s:I, s:s%, s:{s:s, s:o}}", "version", (json_int_t)fixture->version,
                  "collection", fixture->paths[index], (size_t)(end - fixture->paths[index]),
                  "event", "type", type, "object", json_deep_copy(object));
}

static void drop(struct kubernetes_fixture *fixture, int index)
{
    happen(fixture, index, "DELETED");
    json_decref(fixture->objects[index]);
    mr_memory_free(fixture->paths[index]);
    fixture->objects[index] = NULL;
    fixture->paths[index] = NULL;
}

static bool is_finalized(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    return json_object_get(metadata, "deletionTimestamp") != NULL &&
           json_array_size(json_object_get(metadata, "finalizers")) == 0;
}

/* RFC 7386. */
static void merge(json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value;
    json_t *iterated = (json_t *)(uintptr_t)patch;
    json_object_foreach(iterated, key, value)
    {
        if (json_is_null(value)) {
            (void)json_object_del(target, key);
        } else if (!json_is_object(value)) {
            (void)json_object_set_new(target, key, json_deep_copy(value));
        } else {
            if (!json_is_object(json_object_get(target, key)))
                (void)json_object_set_new(target, key, json_object());
            merge(json_object_get(target, key), value);
        }
    }
}

/* Make it, or change what is there under its name. */
static int store(struct kubernetes_fixture *fixture, const char *collection, json_t *object)
{
    char path[PATH_SIZE];
    char uid[32];
    json_t *metadata = json_object_get(object, "metadata");
    (void)snprintf(path, sizeof(path), "%s/%s", collection,
                   json_string_value(json_object_get(metadata, "name")));
    int index = find(fixture, path);
    if (index < 0) {
        index = find(fixture, NULL);
        assert_true(index >= 0);
        fixture->paths[index] = mr_memory_copy_text(path);
        (void)snprintf(uid, sizeof(uid), "uid-%lld", (long long)fixture->version);
        (void)json_object_set_new(metadata, "uid", json_string(uid));
        (void)json_object_set_new(metadata, "generation", json_integer(1));
        if (json_object_get(metadata, "creationTimestamp") == NULL)
            (void)json_object_set_new(metadata, "creationTimestamp",
                                      json_string("2026-01-01T00:00:00Z"));
        fixture->objects[index] = object;
        happen(fixture, index, "ADDED");
    } else {
        json_t *known = fixture->objects[index];
        json_t *known_metadata = json_object_get(known, "metadata");
        json_int_t generation = json_integer_value(json_object_get(known_metadata, "generation"));
        merge(known_metadata, metadata);
        (void)json_object_set_new(known_metadata, "generation", json_integer(generation + 1));
        (void)json_object_del(object, "metadata");
        (void)json_object_update(known, object);
        json_decref(object);
        happen(fixture, index, "MODIFIED");
    }
    return index;
}

/* ---- Requests ---- */

static char *text_of(const json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = mr_memory_new(1, size + 1);
    (void)json_dumpb(value, text, size, JSON_COMPACT);
    return text;
}

static void send_json(const struct scripted_request *request, int code, const json_t *value)
{
    char *text = text_of(value);
    scripted_json(request, code, text);
    mr_memory_free(text);
}

static void answer_patch(struct kubernetes_fixture *fixture, const struct scripted_request *request)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s", request->target);
    char *end = strrchr(path, '/');
    bool status_only = end != NULL && strcmp(end, "/status") == 0;
    if (status_only)
        *end = '\0';
    json_t *patch = json_loads(request->body, 0, NULL);
    assert_non_null(patch);
    int index = find(fixture, path);
    const char *version =
        json_string_value(json_object_get(json_object_get(patch, "metadata"), "resourceVersion"));
    fixture->patches_count++;
    if (fixture->refuse_code != 0) {
        scripted_json(request, fixture->refuse_code, "{\"message\":\"refused\"}");
    } else if (index < 0) {
        scripted_json(request, 404, "{\"message\":\"not found\"}");
    } else if (version != NULL &&
               strcmp(version, json_string_value(json_object_get(
                                   json_object_get(fixture->objects[index], "metadata"),
                                   "resourceVersion"))) != 0) {
        scripted_json(request, 409, "{\"message\":\"the object has been modified\"}");
    } else {
        assert_true(status_only == (json_object_get(patch, "status") != NULL));
        merge(fixture->objects[index], patch);
        happen(fixture, index, "MODIFIED");
        send_json(request, 200, fixture->objects[index]);
        if (is_finalized(fixture->objects[index]))
            drop(fixture, index);
    }
    json_decref(patch);
}

static void answer_post(struct kubernetes_fixture *fixture, const struct scripted_request *request)
{
    json_t *object = json_loads(request->body, 0, NULL);
    int index = store(fixture, request->target, object);
    send_json(request, 201, fixture->objects[index]);
}

static void answer_list(struct kubernetes_fixture *fixture, const struct scripted_request *request)
{
    size_t size = strcspn(request->target, "?");
    char version[32];
    json_t *items = json_array();
    fixture->lists_count++;
    for (int index = 0; index < KUBERNETES_OBJECTS_MAX; index++)
        if (fixture->paths[index] != NULL &&
            strncmp(fixture->paths[index], request->target, size) == 0 &&
            fixture->paths[index][size] == '/')
            (void)json_array_append(items, fixture->objects[index]);
    (void)snprintf(version, sizeof(version), "%lld", (long long)fixture->version);
    json_t *list =
        json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", version, "items", items);
    send_json(request, 200, list);
    json_decref(list);
}

static void answer_watch(struct kubernetes_fixture *fixture, const struct scripted_request *request)
{
    size_t size = strcspn(request->target, "?");
    const char *from = strstr(request->target, "resourceVersion=");
    json_int_t version = from != NULL ? strtoll(from + 16, NULL, 10) : 0;
    uint32_t next = 0;
    scripted_send(request, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    (void)pthread_mutex_lock(&fixture->mutex);
    fixture->watches_count++;
    while (!scripted_is_over(request)) {
        for (; next < fixture->events_count; next++) {
            const json_t *event = fixture->events[next];
            const char *collection = json_string_value(json_object_get(event, "collection"));
            if (json_integer_value(json_object_get(event, "version")) <= version ||
                strlen(collection) != size || strncmp(collection, request->target, size) != 0)
                continue;
            char *text = text_of(json_object_get(event, "event"));
            scripted_send(request, text);
            scripted_send(request, "\n");
            mr_memory_free(text);
        }
        (void)pthread_mutex_unlock(&fixture->mutex);
        mr_clock_sleep_ms(5);
        (void)pthread_mutex_lock(&fixture->mutex);
    }
    (void)pthread_mutex_unlock(&fixture->mutex);
}

static void answer(void *argument, const struct scripted_request *request)
{
    struct kubernetes_fixture *fixture = argument;
    int unseen_code = atomic_load(&fixture->unseen_code);
    if (unseen_code != 0 &&
        strncmp(request->target, KUBERNETES_TOPOLOGIES, strlen(KUBERNETES_TOPOLOGIES)) == 0) {
        scripted_json(request, unseen_code, "{\"message\":\"not here\"}");
        return;
    }
    if (strstr(request->target, "watch=true") != NULL) {
        answer_watch(fixture, request);
        return;
    }
    (void)pthread_mutex_lock(&fixture->mutex);
    int index = find(fixture, request->target);
    if (strcmp(request->method, "PATCH") == 0)
        answer_patch(fixture, request);
    else if (strcmp(request->method, "POST") == 0)
        answer_post(fixture, request);
    else if (index >= 0)
        send_json(request, 200, fixture->objects[index]);
    else if (strchr(request->target, '?') == NULL)
        scripted_json(request, 404, "{\"message\":\"not found\"}");
    else
        answer_list(fixture, request);
    (void)pthread_mutex_unlock(&fixture->mutex);
}

/* ---- For tests ---- */

void kubernetes_start(struct kubernetes_fixture *fixture)
{
    *fixture = (struct kubernetes_fixture){.version = 1};
    (void)pthread_mutex_init(&fixture->mutex, NULL);
    fixture->server = scripted_start(answer, fixture);
    (void)snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:%d",
                   scripted_port(fixture->server));
    fixture->options = (struct mr_kubernetes_options){.url = fixture->url, .name_space = "here"};
}

void kubernetes_stop(struct kubernetes_fixture *fixture)
{
    scripted_stop(fixture->server);
    for (int index = 0; index < KUBERNETES_OBJECTS_MAX; index++) {
        json_decref(fixture->objects[index]);
        mr_memory_free(fixture->paths[index]);
    }
    for (uint32_t index = 0; index < fixture->events_count; index++)
        json_decref(fixture->events[index]);
    (void)pthread_mutex_destroy(&fixture->mutex);
}

void kubernetes_put(struct kubernetes_fixture *fixture, const char *collection, json_t *object)
{
    (void)pthread_mutex_lock(&fixture->mutex);
    (void)store(fixture, collection, object);
    (void)pthread_mutex_unlock(&fixture->mutex);
}

void kubernetes_delete(struct kubernetes_fixture *fixture, const char *collection, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", collection, name);
    (void)pthread_mutex_lock(&fixture->mutex);
    int index = find(fixture, path);
    assert_true(index >= 0);
    (void)json_object_set_new(json_object_get(fixture->objects[index], "metadata"),
                              "deletionTimestamp", json_string("2026-01-02T00:00:00Z"));
    happen(fixture, index, "MODIFIED");
    if (is_finalized(fixture->objects[index]))
        drop(fixture, index);
    (void)pthread_mutex_unlock(&fixture->mutex);
}

json_t *kubernetes_get(struct kubernetes_fixture *fixture, const char *collection, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", collection, name);
    (void)pthread_mutex_lock(&fixture->mutex);
    int index = find(fixture, path);
    json_t *object = index < 0 ? NULL : json_deep_copy(fixture->objects[index]);
    (void)pthread_mutex_unlock(&fixture->mutex);
    return object;
}

static json_t *step_into(json_t *value, const char *step)
{
    if (json_is_object(value))
        return json_object_get(value, step);
    for (size_t index = 0; index < json_array_size(value); index++) {
        json_t *item = json_array_get(value, index);
        const char *type = json_string_value(json_object_get(item, "type"));
        if (type != NULL && strcmp(type, step) == 0)
            return item;
    }
    return json_array_get(value, (size_t)strtoul(step, NULL, 10));
}

json_t *kubernetes_value(struct kubernetes_fixture *fixture, const char *collection,
                         const char *name, const char *path)
{
    char steps[PATH_SIZE];
    char *rest = NULL;
    json_t *object = kubernetes_get(fixture, collection, name);
    json_t *value = object;
    (void)snprintf(steps, sizeof(steps), "%s", path);
    for (char *step = strtok_r(steps, ":", &rest); step != NULL && value != NULL;
         step = strtok_r(NULL, ":", &rest))
        value = step_into(value, step);
    json_t *found = value != NULL ? json_deep_copy(value) : NULL;
    json_decref(object);
    return found;
}

void kubernetes_await(struct kubernetes_fixture *fixture, const char *collection, const char *name,
                      const char *path, const char *text)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + AWAIT_MS;
    for (;;) {
        json_t *object = kubernetes_get(fixture, collection, name);
        json_t *value = text != NULL ? kubernetes_value(fixture, collection, name, path) : NULL;
        const char *found = json_string_value(value);
        bool done = text == NULL ? object == NULL : found != NULL && strcmp(found, text) == 0;
        if (!done && mr_clock_monotonic_ms() > until_ms) {
            char *shown = object != NULL ? text_of(object) : NULL;
            fail_msg("%s is '%s', not '%s': %s", path, found != NULL ? found : "nothing",
                     text != NULL ? text : "gone", shown != NULL ? shown : "");
        }
        json_decref(object);
        json_decref(value);
        if (done)
            return;
        mr_clock_sleep_ms(10);
    }
}
