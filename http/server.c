/* http/server.c — the server's thread: sockets, TLS and the loop, by libwebsockets.
 * Design: libwebsockets drives raw connections (poll, TLS, write when writable, timers); HTTP
 * itself is read in head.c and connection.c, because its own reader joins "//", decodes %2F before
 * the path is split, and knows no chunked bodies. The listening socket is ours (listen.c) and is
 * watched as a raw file. One context per server, one thread per context; nothing in it is shared
 * but the log function, which is the same for all.
 * The library crashes when it has no place for a descriptor that it is to adopt (4.1.6). So it is
 * told of fewer places than the process has descriptors, which makes them independent of the
 * descriptors' numbers, and what exceeds them is closed before it is adopted.
 * Threads: other threads only reach the core, and lws_cancel_service through core->wake. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/certificate.h"
#include "http/internal.h"
#include "http/listen.h"
#include "http/server_tls.h"

#include <libwebsockets.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PIECE_BYTES_MAX = 64 << 10,
    READ_BYTES_MAX = 32 << 10,
    REFUSED_CONNECTIONS_MAX = 64, /* beyond MR_HTTP_CONNECTIONS_MAX: each is told 503 */
    OWN_FDS = 16,
    TICK_US = 500000,
    STOP_MS_MAX = 1000,
    HANDSHAKE_S_MAX = 10
};

static const char protocol_name[] = "http";

/* One per socket, in libwebsockets' memory. */
struct session {
    struct mr_http_connection *connection;
    struct lws *wsi;
    lws_sorted_usec_list_t due;
    struct session *previous;
    struct session *next;
};

struct mr_http_server {
    struct mr_http_core *core;
    struct mr_http_settings settings;
    char *token;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws *listener;
    struct mr_http_listen listen;
    bool tls;
    bool client_certificates;
    struct mr_http_identity *identity;
    struct session *sessions;
    uint32_t sessions_count;
    uint32_t places_count; /* descriptors that the library has place for */
    uint32_t places_used;  /* of connections, those in a handshake too, and of the listener */
    lws_sorted_usec_list_t tick;
    pthread_t thread;
    _Atomic bool stop;
};

static void write_log(int level, const char *line)
{
    size_t size = strlen(line);
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    MR_ASSERT(level == LLL_ERR || level == LLL_WARN);
    MR_LOG_AT(MR_LOG_WARNING, "http", NULL, "%.*s", (int)size, line);
}

/* ---- Sessions ---- */

static void on_due(lws_sorted_usec_list_t *due);

/* Ask for what the connection needs next. False: close it. */
static bool update(struct session *session)
{
    struct mr_http_connection *connection = session->connection;
    uint64_t now_ms = mr_clock_monotonic_ms();
    mr_http_connection_prepare(connection, now_ms);
    uint64_t due_ms = mr_http_connection_due_ms(connection);
    if (due_ms != UINT64_MAX)
        lws_sul_schedule(lws_get_context(session->wsi), 0, &session->due, on_due,
                         (lws_usec_t)(due_ms > now_ms ? due_ms - now_ms : 1) * 1000);
    lws_rx_flow_control(session->wsi, mr_http_connection_wants_input(connection));
    if (mr_http_connection_output(connection).size > 0 || mr_http_connection_ended(connection))
        return lws_callback_on_writable(session->wsi) >= 0;
    return true;
}

static void update_or_kill(struct session *session)
{
    if (!update(session))
        lws_set_timeout(session->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static void on_due(lws_sorted_usec_list_t *due)
{
    update_or_kill(lws_container_of(due, struct session, due));
}

/* Never fails: the library would not survive it. */
static void on_adopt(struct mr_http_server *server, struct lws *wsi, struct session *session)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    session->wsi = wsi;
    session->connection = mr_http_connection_open(server->core, &server->settings, session, now_ms);
    session->previous = NULL;
    session->next = server->sessions;
    if (session->next != NULL)
        session->next->previous = session;
    server->sessions = session;
    server->sessions_count++;
    if (server->sessions_count > MR_HTTP_CONNECTIONS_MAX)
        mr_http_connection_refuse(session->connection, now_ms);
    update_or_kill(session);
}

static void on_close(struct mr_http_server *server, struct session *session)
{
    if (session == NULL || session->connection == NULL)
        return;
    mr_http_connection_close(session->connection);
    session->connection = NULL;
    lws_sul_cancel(&session->due);
    if (session->next != NULL)
        session->next->previous = session->previous;
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        server->sessions = session->next;
    server->sessions_count--;
}

static int on_receive(struct session *session, const void *data, size_t size)
{
    if (session->connection == NULL ||
        !mr_http_connection_receive(session->connection, mr_slice_from(data, size),
                                    mr_clock_monotonic_ms()))
        return -1;
    return update(session) ? 0 : -1;
}

static int on_writable(struct session *session)
{
    if (session->connection == NULL)
        return -1;
    struct mr_slice bytes = mr_http_connection_output(session->connection);
    if (bytes.size == 0)
        return mr_http_connection_ended(session->connection) ? -1 : 0;
    size_t size = bytes.size < PIECE_BYTES_MAX ? bytes.size : PIECE_BYTES_MAX;
    /* The library's parameter is not const; LWS_WRITE_RAW changes nothing in it. */
    int written =
        lws_write(session->wsi, (unsigned char *)(uintptr_t)bytes.data, size, LWS_WRITE_RAW);
    if (written < 0 || !mr_http_connection_sent(session->connection, size, mr_clock_monotonic_ms()))
        return -1;
    return update(session) ? 0 : -1;
}

static void on_tick(lws_sorted_usec_list_t *tick)
{
    struct mr_http_server *server = lws_container_of(tick, struct mr_http_server, tick);
    uint64_t now_ms = mr_clock_monotonic_ms();
    for (struct session *session = server->sessions; session != NULL; session = session->next) {
        if (mr_http_connection_tick(session->connection, now_ms))
            update_or_kill(session);
        else
            lws_set_timeout(session->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
    lws_sul_schedule(server->context, 0, tick, on_tick, TICK_US);
}

static void on_wake(struct mr_http_server *server)
{
    struct mr_http_connection *connection;
    while ((connection = mr_http_connection_next_news(server->core, mr_clock_monotonic_ms())) !=
           NULL)
        update_or_kill(mr_http_connection_owner(connection));
}

/* The listening socket is readable. */
static void on_accept(struct mr_http_server *server)
{
    int socket_fd;
    while ((socket_fd = mr_http_listen_accept(&server->listen)) >= 0) {
        if (server->places_used + OWN_FDS >= server->places_count) {
            close(socket_fd);
            continue;
        }
        lws_sock_file_fd_type descriptor = {.sockfd = socket_fd};
        lws_adoption_type type = LWS_ADOPT_SOCKET | (server->tls ? LWS_ADOPT_ALLOW_SSL : 0);
        /* Closes the socket itself when it fails. */
        (void)lws_adopt_descriptor_vhost(server->vhost, type, descriptor, protocol_name, NULL);
    }
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *data,
                    size_t size)
{
    struct mr_http_server *server = lws_context_user(lws_get_context(wsi));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        on_adopt(server, wsi, user);
        return 0;
    case LWS_CALLBACK_WSI_CREATE:
        server->places_used++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        server->places_used--;
        return 0;
    case LWS_CALLBACK_RAW_RX:
        return on_receive(user, data, size);
    case LWS_CALLBACK_RAW_WRITEABLE:
        return on_writable(user);
    case LWS_CALLBACK_RAW_CLOSE:
        on_close(server, user);
        return 0;
    case LWS_CALLBACK_RAW_RX_FILE:
        on_accept(server);
        return 0;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        on_wake(server);
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        mr_http_server_tls_prepare(user, server->client_certificates);
        if (server->identity != NULL)
            mr_http_identity_install(server->identity, user);
        return 0;
    default:
        return 0; /* the library's other events need nothing: no files, no other protocols */
    }
#pragma GCC diagnostic pop
}

static const struct lws_protocols protocols[] = {
    {.name = protocol_name,
     .callback = callback,
     .per_session_data_size = sizeof(struct session),
     .rx_buffer_size = READ_BYTES_MAX,
     .tx_packet_size = PIECE_BYTES_MAX},
    {.name = NULL},
};

/* ---- Start and stop ---- */

static void wake(void *argument)
{
    struct mr_http_server *server = argument;
    lws_cancel_service(server->context);
}

static void *run(void *argument)
{
    struct mr_http_server *server = argument;
    lws_sul_schedule(server->context, 0, &server->tick, on_tick, TICK_US);
    do /* once at least: a context that never ran is not wholly freed by its destruction */
        lws_service(server->context, 0);
    while (!atomic_load(&server->stop));
    lws_set_timeout(server->listener, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t deadline_ms = now_ms + STOP_MS_MAX;
    for (struct session *session = server->sessions; session != NULL; session = session->next) {
        mr_http_connection_stop(session->connection, now_ms);
        update_or_kill(session);
    }
    while (server->sessions_count > 0 && mr_clock_monotonic_ms() < deadline_ms)
        lws_service(server->context, 0);
    lws_sul_cancel(&server->tick);
    pthread_mutex_lock(&server->core->mutex);
    server->core->wake = NULL;
    pthread_mutex_unlock(&server->core->mutex);
    lws_context_destroy(server->context);
    return NULL;
}

/* Fewer than the process may have now (the library adds some of its own before it compares), and no
 * more than are needed. */
static uint32_t count_places(void)
{
    struct rlimit limit;
    uint32_t count = MR_HTTP_CONNECTIONS_MAX + REFUSED_CONNECTIONS_MAX + OWN_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= count + OWN_FDS)
        count = limit.rlim_cur > 4 * OWN_FDS ? (uint32_t)limit.rlim_cur - OWN_FDS : 2 * OWN_FDS;
    return count;
}

static enum mr_status create_context(struct mr_http_server *server,
                                     const struct mr_http_server_options *options,
                                     struct mr_error *error)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .user = server,
        .pt_serv_buf_size = READ_BYTES_MAX,
        .fd_limit_per_thread = server->places_count,
        .timeout_secs = HANDSHAKE_S_MAX,
        .server_string = "",
        .alpn = "http/1.1",
        .vhost_name = "millrace",
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
    };
    if (server->tls)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    server->context = lws_create_context(&info);
    if (server->context == NULL)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "The HTTP server could not be created.");
    if (server->tls) {
        info.ssl_cert_filepath = options->certificate_file;
        info.ssl_private_key_filepath = options->key_file;
        info.ssl_ca_filepath = options->client_authority_file;
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        if (server->identity != NULL)
            info.options |= LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
        if (server->client_certificates)
            info.options |= LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT;
    }
    server->vhost = lws_create_vhost(server->context, &info);
    if (server->vhost == NULL)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "The HTTP server could not start.");
    lws_sock_file_fd_type descriptor = {.filefd = server->listen.fd};
    server->listener = lws_adopt_descriptor_vhost(server->vhost, LWS_ADOPT_RAW_FILE_DESC,
                                                  descriptor, protocol_name, NULL);
    server->listen.adopted = true; /* it is closed by the library from here on, also on failure */
    if (server->listener == NULL)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY,
                       "The HTTP server could not watch its listening socket.");
    return MR_OK;
}

static void destroy(struct mr_http_server *server)
{
    mr_http_listen_close(&server->listen);
    mr_memory_free(server->token);
    pthread_mutex_lock(&server->core->mutex);
    mr_http_core_unlock_release(server->core);
    mr_memory_free(server);
}

static void set_log_once(void)
{
    lws_set_log_level(LLL_ERR | LLL_WARN, write_log);
}

enum mr_status mr_http_server_start(const struct mr_http_server_options *options,
                                    struct mr_http_server **server_out, struct mr_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_log_once);
    if ((options->certificate_file == NULL) != (options->key_file == NULL) ||
        (options->client_authority_file != NULL && options->certificate_file == NULL) ||
        (options->identity != NULL && options->certificate_file != NULL))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "TLS needs a certificate and its key, and certificates of clients need TLS: "
                       "give both files or none.");
    enum mr_status status = MR_OK;
    if (options->certificate_file != NULL)
        status = mr_http_server_tls_check(options->certificate_file, options->key_file,
                                          options->client_authority_file, error);
    if (status != MR_OK)
        return status;
    struct mr_http_server *server = mr_memory_new(1, sizeof *server);
    server->core = mr_http_core_create();
    server->token = options->token == NULL ? NULL : mr_memory_copy_text(options->token);
    server->settings = (struct mr_http_settings){
        .routes = options->routes, .argument = options->argument, .token = server->token};
    server->places_count = count_places();
    server->identity = options->identity;
    server->tls = options->certificate_file != NULL || options->identity != NULL;
    server->client_certificates = options->client_authority_file != NULL;
    status = mr_http_listen_open(&server->listen, options->address, error);
    if (status == MR_OK)
        status = create_context(server, options, error);
    if (status == MR_OK) {
        server->core->wake = wake;
        server->core->wake_argument = server;
        int code = pthread_create(&server->thread, NULL, run, server);
        if (code != 0)
            status = MR_FAIL_ERRNO(error, code, MR_RECOVERY_RETRY,
                                   "The HTTP server's thread could not be created");
    }
    if (status != MR_OK) {
        if (server->context != NULL)
            lws_context_destroy(server->context);
        destroy(server);
        return status;
    }
    *server_out = server;
    return MR_OK;
}

void mr_http_server_stop(struct mr_http_server *server)
{
    if (server == NULL)
        return;
    atomic_store(&server->stop, true);
    pthread_mutex_lock(&server->core->mutex);
    if (server->core->wake != NULL) /* else the thread is already past its loop */
        server->core->wake(server);
    pthread_mutex_unlock(&server->core->mutex);
    pthread_join(server->thread, NULL);
    destroy(server);
}

int mr_http_server_port(const struct mr_http_server *server)
{
    return server->listen.port;
}

enum mr_status mr_http_server_ask(struct mr_http_server *server,
                                  const struct mr_http_asking *asking, struct mr_arena *arena,
                                  struct mr_http_asked *asked, struct mr_error *error)
{
    return mr_http_core_ask(server->core, &server->settings, asking, arena, asked, error);
}

void mr_http_publish(struct mr_http_server *server, const char *channel, const char *event,
                     uint64_t id, struct mr_slice data)
{
    if (atomic_load_explicit(&server->core->subscribers_count, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&server->core->mutex);
    mr_http_core_publish(server->core, channel, event, id, data);
    pthread_mutex_unlock(&server->core->mutex);
}

uint32_t mr_http_subscribers(struct mr_http_server *server, const char *channel)
{
    if (atomic_load_explicit(&server->core->subscribers_count, memory_order_relaxed) == 0)
        return 0;
    pthread_mutex_lock(&server->core->mutex);
    uint32_t count = mr_http_core_subscribers(server->core, channel);
    pthread_mutex_unlock(&server->core->mutex);
    return count;
}
