/* tests/unit/coordinator/test_kubernetes_watch.c — list, watch, resume, 410, pages, giving up. */
#include "coordinator/kubernetes_watch.h"

#include "base/memory.h"
#include "tests/support/scripted_server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LOG_SIZE = 4096 };

static struct scripted_server *server;
static struct mr_kubernetes_client *client;
static char seen[LOG_SIZE];  /* events, as the watch told them */
static char asked[LOG_SIZE]; /* targets, as the server was asked; each connection after the other */
static atomic_int watches;
static atomic_bool give_up;
static uint32_t enough; /* events */
static uint32_t events_count;

static void note(char *log, const char *text)
{
    size_t size = strlen(log);
    (void)snprintf(log + size, LOG_SIZE - size, "%s\n", text);
}

#define STREAM "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define OBJECT(name, version)                                                                      \
    "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define EVENT(type, name, version) "{\"type\":\"" type "\",\"object\":" OBJECT(name, version) "}\n"

/* 1,000 objects a page, more than there may be. */
static void send_page_of_many(const struct scripted_request *request)
{
    json_t *items = json_array();
    for (int index = 0; index < 1000; index++)
        (void)json_array_append_new(items, json_pack("{s:{}}", "metadata"));
    json_t *page = json_pack("{s:{s:s, s:s}, s:o}", "metadata", "resourceVersion", "7", "continue",
                             "more", "items", items);
    size_t size = json_dumpb(page, NULL, 0, 0);
    char *text = mr_memory_new(1, size + 1);
    (void)json_dumpb(page, text, size, 0);
    scripted_json(request, 200, text);
    mr_memory_free(text);
    json_decref(page);
}

/* Numbers and texts that the API server keeps. */
#define ODD(name, value)                                                                           \
    "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"7\"},\"spec\":{\"a\":" value "}}"

static void send_odd(const struct scripted_request *request)
{
    if (strstr(request->target, "watch=true") == NULL)
        scripted_json(request, 200,
                      "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" ODD(
                          "one", "100000000000000000000") "," ODD("two", "\"\\u0000\"") "]}");
    else
        scripted_send(request,
                      STREAM "{\"type\":\"ADDED\",\"object\":" ODD(
                          "three", "100000000000000000000") "}\n"
                                                            "{\"type\":\"ADDED\",\"object\":" ODD(
                                                                "four", "{\"\\u0000\":1}") "}\n");
}

static void answer(void *argument, const struct scripted_request *request)
{
    (void)argument;
    note(asked, request->target);
    if (strncmp(request->target, "/code/", 6) == 0) {
        scripted_json(request, (int)strtol(request->target + 6, NULL, 10), "{\"message\":\"no\"}");
        return;
    }
    if (strncmp(request->target, "/odd?", 5) == 0) {
        send_odd(request);
        return;
    }
    if (strncmp(request->target, "/many?", 6) == 0) {
        if (strstr(request->target, "watch=true") == NULL)
            send_page_of_many(request);
        else
            scripted_send(request, STREAM);
        return;
    }
    if (strstr(request->target, "watch=true") == NULL) {
        if (strstr(request->target, "continue=") == NULL && atomic_load(&watches) == 0)
            scripted_json(
                request, 200,
                "{\"metadata\":{\"continue\":\"a/b=\"},\"items\":[" OBJECT("one", "3") "]}");
        else
            scripted_json(
                request, 200,
                "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" OBJECT("two", "5") "]}");
        return;
    }
    switch (atomic_fetch_add(&watches, 1)) {
    case 0: /* something new, a bookmark; breaks off in the midst of a line */
        scripted_send(request, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
        scripted_send(request, EVENT("ADDED", "three", "8") EVENT("BOOKMARK", "", "9") "{\"type");
        break;
    case 1:
        scripted_send(request, STREAM EVENT("DELETED", "one", "10"));
        break;
    case 2: /* forgotten, said in the stream */
        scripted_send(request, STREAM "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":"
                                      "\"too old\"}}\n");
        break;
    case 3: /* forgotten, said at once */
        scripted_json(request, 410, "{\"message\":\"too old\"}");
        break;
    case 4:
        scripted_send(request, STREAM EVENT("MODIFIED", "three", "12"));
        scripted_wait(request);
        break;
    default:
        scripted_wait(request);
    }
}

static void visit(void *argument, enum mr_kubernetes_event event, json_t *object)
{
    (void)argument;
    static const char *const names[] = {"listing", "object", "deleted", "listed"};
    char line[128];
    const char *name =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
    (void)snprintf(line, sizeof(line), "%s%s%s", names[event], name != NULL ? " " : "",
                   name != NULL ? name : "");
    note(seen, line);
    if (++events_count == enough)
        atomic_store(&give_up, true);
}

static bool given_up(void *argument)
{
    (void)argument;
    return atomic_load(&give_up);
}

static int set_up(void **state)
{
    (void)state;
    struct mr_error error;
    char url[64];
    server = scripted_start(answer, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", scripted_port(server));
    const struct mr_kubernetes_options options = {.url = url, .name_space = "here"};
    assert_int_equal(mr_kubernetes_client_create(&options, &client, &error), MR_OK);
    seen[0] = '\0';
    asked[0] = '\0';
    events_count = 0;
    enough = UINT32_MAX;
    atomic_store(&watches, 0);
    atomic_store(&give_up, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_kubernetes_client_destroy(client);
    scripted_stop(server);
    return 0;
}

static struct mr_kubernetes_watch watch_of(const char *selector)
{
    return (struct mr_kubernetes_watch){.path = "/things",
                                        .selector = selector,
                                        .round_s = 60,
                                        .visit = visit,
                                        .given_up = given_up};
}

static void test_goes_on_from_what_it_saw_last(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_watch watch = watch_of("a%3Db");
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_IO);
    assert_string_equal(watch.version, "9");
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_OK);
    assert_string_equal(watch.version, "10");
    assert_string_equal(seen, "listing\nobject one\nobject two\nlisted\nobject three\n"
                              "deleted one\n");
    assert_string_equal(asked, "/things?limit=20&labelSelector=a%3Db\n"
                               "/things?limit=20&labelSelector=a%3Db&continue=a%2Fb%3D\n"
                               "/things?watch=true&allowWatchBookmarks=true&timeoutSeconds=60"
                               "&resourceVersion=7&labelSelector=a%3Db\n"
                               "/things?watch=true&allowWatchBookmarks=true&timeoutSeconds=60"
                               "&resourceVersion=9&labelSelector=a%3Db\n");
}

static void test_lists_again_when_its_version_is_forgotten(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_watch watch = watch_of(NULL);
    atomic_store(&watches, 2);
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_VERSION);
    assert_string_equal(watch.version, "");
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_VERSION);
    assert_string_equal(watch.version, "");
    assert_string_equal(seen, "listing\nobject two\nlisted\nlisting\nobject two\nlisted\n");
}

static void test_runs_until_it_is_given_up(void **state)
{
    (void)state;
    struct mr_kubernetes_watch watch = watch_of(NULL);
    atomic_store(&watches, 3);
    enough = 7; /* two listings of three, and the change */
    mr_kubernetes_watch_run(client, &watch);
    assert_string_equal(seen, "listing\nobject two\nlisted\nlisting\nobject two\nlisted\n"
                              "object three\n");
    assert_string_equal(watch.version, "12");
}

static void test_what_is_not_there_is_listed_as_empty(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_watch watch = watch_of(NULL);
    watch.path = "/code/404";
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_NOT_FOUND);
    assert_non_null(strstr(error.message, "not installed"));
    watch.path = "/code/403";
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_INVALID);
    assert_string_equal(seen, "listing\nlisted\nlisting\nlisted\n");
    seen[0] = '\0';
    watch.path = "/code/500"; /* it may be there */
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_IO);
    assert_string_equal(seen, "listing\n");
    assert_string_equal(watch.version, "");
}

static void test_one_object_does_not_hide_the_rest(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_watch watch = watch_of(NULL);
    watch.path = "/odd";
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_OK);
    assert_string_equal(seen, "listing\nobject one\nobject two\nlisted\nobject three\n"
                              "object four\n");
}

static void test_what_is_too_much_is_left_out(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_watch watch = watch_of(NULL);
    watch.path = "/many";
    assert_int_equal(mr_kubernetes_watch_round(client, &watch, &error), MR_OK);
    assert_int_equal(events_count, MR_KUBERNETES_OBJECTS_MAX + 2);
    assert_string_equal(watch.version, "7");
    assert_non_null(strstr(asked, "watch=true"));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_goes_on_from_what_it_saw_last),
        WITH_SERVER(test_lists_again_when_its_version_is_forgotten),
        WITH_SERVER(test_runs_until_it_is_given_up),
        WITH_SERVER(test_what_is_not_there_is_listed_as_empty),
        WITH_SERVER(test_one_object_does_not_hide_the_rest),
        WITH_SERVER(test_what_is_too_much_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
