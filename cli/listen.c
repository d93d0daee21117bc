/* cli/listen.c — see listen.h. */
#include "cli/listen.h"

#include "base/clock.h"

enum { AGAIN_MS = 1000, FAILURES_MAX = 30 };

struct listening {
    bool (*visit)(void *argument, const char *event, struct mr_slice data);
    void *argument;
    bool heard; /* since the last connection was made */
    bool ended;
};

static bool take_event(void *argument, const char *event, struct mr_slice data)
{
    struct listening *listening = argument;
    listening->heard = true;
    if (strcmp(event, "end") == 0) /* this coordinator leads no more */
        return false;
    if (strcmp(event, "lost") == 0) {
        (void)fputs("millrace: this reader is slower than the stream: ", stderr);
        mr_text_write(stderr, data);
        (void)fputs(" were left out\n", stderr);
        return true;
    }
    listening->ended = !listening->visit(listening->argument, event, data) || ferror(stdout);
    return !listening->ended;
}

/* The server's sentence within the client's, where the problem document is cut. */
static struct mr_slice detail_of(struct mr_server *server, const char *message)
{
    static const char marker[] = "\"detail\":";
    const char *found = strstr(message, marker);
    if (found != NULL)
        found += sizeof marker - 1;
    while (found != NULL && *found == ' ')
        found++;
    if (found == NULL || *found != '"')
        return mr_slice_text(message);
    const char *end = found + 1;
    while (*end != '\0' && *end != '"')
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    if (*end == '\0')
        return mr_slice_text(found + 1);
    json_t *text = json_loadb(found, (size_t)(end - found) + 1, JSON_DECODE_ANY, NULL);
    const char *decoded = text == NULL ? found + 1 : json_string_value(text);
    struct mr_slice copy = mr_slice_text(mr_arena_copy_text(&server->arena, decoded));
    json_decref(text);
    return copy;
}

enum mr_exit mr_listen(struct mr_server *server, const char *path,
                       bool (*visit)(void *argument, const char *event, struct mr_slice data),
                       void *argument)
{
    struct listening listening = {.visit = visit, .argument = argument};
    uint32_t failures_count = 0;
    bool connected = false; /* ever */
    for (;;) {
        struct mr_error error;
        const char *base = server->urls[server->current];
        mr_arena_reset(&server->reply_arena);
        listening.heard = false;
        enum mr_status status = mr_http_client_listen(
            server->client, mr_arena_format(&server->reply_arena, "%s%s", base, path), take_event,
            &listening, &error);
        if (listening.ended)
            return MR_EXIT_FINE;
        bool refused = status != MR_OK && error.recovery != MR_RECOVERY_RETRY;
        failures_count = listening.heard || status == MR_OK ? 0 : failures_count + 1;
        connected = connected || failures_count == 0;
        if (refused || failures_count >= (connected ? FAILURES_MAX : server->urls_count)) {
            struct mr_slice detail = detail_of(server, error.message);
            (void)fputs("millrace: ", stderr);
            mr_text_write(stderr, detail);
            (void)fputc('\n', stderr);
            return refused ? MR_EXIT_WRONG : MR_EXIT_UNREACHED;
        }
        server->current = (server->current + 1) % server->urls_count;
        if (connected) {
            (void)fprintf(stderr,
                          "millrace: the connection to %s has ended; events may be "
                          "missing until the next one is made\n",
                          base);
            mr_clock_sleep_ms(AGAIN_MS);
        }
    }
}
