/* http/events.c — subscribers of server-sent events and what waits for them.
 * Design: an event is rendered once and shared; each subscriber has a ring of references. A full
 * ring drops its oldest and counts; the number goes out before the next event, as `lost`. */
#include "base/assert.h"
#include "base/memory.h"
#include "http/internal.h"

#include <inttypes.h>
#include <stdio.h>

struct mr_http_event {
    uint32_t references;
    size_t size;
    uint8_t bytes[];
};

struct mr_http_subscriber {
    struct mr_http_subscriber *next;
    struct mr_http_connection *connection;
    char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1];
    uint32_t first;
    uint32_t count;
    size_t waiting_bytes;
    uint64_t lost;
    struct mr_http_event *ring[MR_HTTP_EVENTS_MAX];
};

struct mr_http_subscriber *mr_http_subscriber_create(struct mr_http_core *core, const char *channel,
                                                     struct mr_http_connection *connection)
{
    if (atomic_load(&core->subscribers_count) >= MR_HTTP_SUBSCRIBERS_MAX)
        return NULL;
    struct mr_http_subscriber *subscriber = mr_memory_new(1, sizeof *subscriber);
    memcpy(subscriber->channel, channel, strlen(channel) + 1);
    subscriber->connection = connection;
    subscriber->next = core->subscribers;
    core->subscribers = subscriber;
    atomic_fetch_add(&core->subscribers_count, 1);
    return subscriber;
}

static struct mr_http_event *take_oldest(struct mr_http_subscriber *subscriber)
{
    struct mr_http_event *event = subscriber->ring[subscriber->first];
    subscriber->first = (subscriber->first + 1) % MR_HTTP_EVENTS_MAX;
    subscriber->count--;
    subscriber->waiting_bytes -= event->size;
    return event;
}

void mr_http_subscriber_destroy(struct mr_http_core *core, struct mr_http_subscriber *subscriber)
{
    struct mr_http_subscriber **link = &core->subscribers;
    while (*link != subscriber)
        link = &(*link)->next;
    *link = subscriber->next;
    atomic_fetch_sub(&core->subscribers_count, 1);
    while (subscriber->count > 0)
        mr_http_event_release(take_oldest(subscriber));
    mr_memory_free(subscriber);
}

struct mr_slice mr_http_event_bytes(const struct mr_http_event *event)
{
    return mr_slice_from(event->bytes, event->size);
}

void mr_http_event_release(struct mr_http_event *event)
{
    MR_ASSERT(event->references > 0);
    if (--event->references == 0)
        mr_memory_free(event);
}

static struct mr_http_event *event_create(const char *name, const char *id, struct mr_slice data)
{
    size_t size_max = strlen(name) + strlen(id) + data.size + 32;
    struct mr_http_event *event = mr_memory_new(1, sizeof *event + size_max);
    int head = snprintf((char *)event->bytes, size_max, "%sevent: %s\ndata: ", id, name);
    event->size = (size_t)head;
    if (data.size > 0)
        memcpy(event->bytes + event->size, data.data, data.size);
    memcpy(event->bytes + event->size + data.size, "\n\n", 2);
    event->size += data.size + 2;
    event->references = 1;
    return event;
}

struct mr_http_event *mr_http_subscriber_next(struct mr_http_subscriber *subscriber)
{
    if (subscriber->lost > 0) {
        char text[48];
        int size = snprintf(text, sizeof text, "{\"lost\":%" PRIu64 "}", subscriber->lost);
        subscriber->lost = 0;
        return event_create("lost", "", mr_slice_from(text, (size_t)size));
    }
    return subscriber->count == 0 ? NULL : take_oldest(subscriber);
}

static void push(struct mr_http_subscriber *subscriber, struct mr_http_event *event)
{
    while (subscriber->count == MR_HTTP_EVENTS_MAX ||
           (subscriber->count > 0 &&
            subscriber->waiting_bytes + event->size > MR_HTTP_EVENT_BYTES_MAX)) {
        mr_http_event_release(take_oldest(subscriber));
        subscriber->lost++;
    }
    uint32_t last = (subscriber->first + subscriber->count) % MR_HTTP_EVENTS_MAX;
    subscriber->ring[last] = event;
    subscriber->count++;
    subscriber->waiting_bytes += event->size;
    event->references++;
}

void mr_http_core_publish(struct mr_http_core *core, const char *channel, const char *event,
                          uint64_t id, struct mr_slice data)
{
    char id_text[32];
    snprintf(id_text, sizeof id_text, "id: %" PRIu64 "\n", id);
    struct mr_http_event *shared = NULL;
    for (struct mr_http_subscriber *subscriber = core->subscribers; subscriber != NULL;
         subscriber = subscriber->next) {
        if (strcmp(subscriber->channel, channel) != 0)
            continue;
        if (data.size > (size_t)MR_HTTP_EVENT_BYTES_MAX) {
            subscriber->lost++;
        } else {
            if (shared == NULL)
                shared = event_create(event, id_text, data);
            push(subscriber, shared);
        }
        mr_http_connection_has_news(subscriber->connection);
    }
    if (shared != NULL)
        mr_http_event_release(shared);
}

uint32_t mr_http_core_subscribers(struct mr_http_core *core, const char *channel)
{
    uint32_t count = 0;
    for (const struct mr_http_subscriber *subscriber = core->subscribers; subscriber != NULL;
         subscriber = subscriber->next)
        count += strcmp(subscriber->channel, channel) == 0;
    return count;
}
