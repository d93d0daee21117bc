/* http/head.c — the head of a request, and a body in chunks.
 * Design: the head is copied into the arena once; its fields are views into that copy, ended by
 * NUL. A head is only looked at when it is whole, save for its first byte and its size. */
#include "http/head.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "http/websocket_frame.h"

#include <strings.h>

enum { CHUNK_LINE_BYTES_MAX = 256, TRAILER_BYTES_MAX = 4096 };

static bool is_token(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

size_t mr_http_head_size(struct mr_slice bytes)
{
    static const char end[] = "\r\n\r\n";
    const uint8_t *found = bytes.size == 0 ? NULL : memmem(bytes.data, bytes.size, end, 4);
    return found == NULL ? 0 : (size_t)(found - bytes.data) + 4;
}

int mr_http_head_check_start(struct mr_slice bytes, const char **reason)
{
    if (bytes.size > 0 && !is_token(bytes.data[0])) {
        *reason = "This is no HTTP request.";
        return 400;
    }
    const uint8_t *line_end = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    size_t line = line_end == NULL ? bytes.size : (size_t)(line_end - bytes.data);
    if (line > MR_HTTP_PATH_BYTES_MAX + 32) {
        *reason = "The request's path and query are longer than 2,048 bytes.";
        return 414;
    }
    if (bytes.size > MR_HTTP_HEAD_BYTES_MAX) {
        *reason = "The request's head is larger than 16 KiB.";
        return 431;
    }
    return 0;
}

static int refuse(int code, const char **reason, const char *text)
{
    *reason = text;
    return code;
}

/* The method, which is case-sensitive. Others are known to HTTP, not to us. */
static void read_method(struct mr_http_head *head, const char *text)
{
    static const char *const names[] = {[MR_HTTP_GET] = "GET",
                                        [MR_HTTP_POST] = "POST",
                                        [MR_HTTP_PUT] = "PUT",
                                        [MR_HTTP_DELETE] = "DELETE",
                                        [MR_HTTP_PATCH] = "PATCH"};
    head->head_only = strcmp(text, "HEAD") == 0;
    head->method_known = head->head_only;
    head->method = MR_HTTP_GET;
    for (size_t i = 0; i < MR_ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            head->method_known = true;
            head->method = (enum mr_http_method)i;
        }
    }
}

/* The target: "/path?query", or the same behind "http://authority". */
static int read_target(struct mr_http_head *head, char *target, const char **reason)
{
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        char *slash = strchr(strstr(target, "//") + 2, '/');
        if (slash == NULL)
            return refuse(400, reason, "The request's target has no path.");
        target = slash;
    }
    if (target[0] != '/')
        return refuse(400, reason, "The request's target does not start with a slash.");
    for (const char *cursor = target; *cursor != 0; cursor++) {
        if ((uint8_t)*cursor <= ' ' || (uint8_t)*cursor >= 0x7f || *cursor == '#')
            return refuse(400, reason, "The request's target has a byte that must be escaped.");
    }
    if (strlen(target) > MR_HTTP_PATH_BYTES_MAX)
        return refuse(414, reason, "The request's path and query are longer than 2,048 bytes.");
    char *question = strchr(target, '?');
    head->path = target;
    head->query = "";
    if (question != NULL) {
        *question = 0;
        head->query = question + 1;
    }
    return 0;
}

static int read_request_line(struct mr_http_head *head, char *line, const char **reason)
{
    char *method_end = strchr(line, ' ');
    char *target_end = method_end == NULL ? NULL : strchr(method_end + 1, ' ');
    if (target_end == NULL || method_end == line || strchr(target_end + 1, ' ') != NULL)
        return refuse(400, reason, "The request line is not METHOD TARGET VERSION.");
    *method_end = 0;
    *target_end = 0;
    for (const char *cursor = line; *cursor != 0; cursor++) {
        if (!is_token((uint8_t)*cursor))
            return refuse(400, reason, "The request's method is no token.");
    }
    const char *version = target_end + 1;
    if (strncmp(version, "HTTP/", 5) != 0)
        return refuse(400, reason, "The request line does not end with an HTTP version.");
    head->version_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (!head->version_1_0 && strcmp(version, "HTTP/1.1") != 0)
        return refuse(505, reason, "This server speaks HTTP/1.1 and HTTP/1.0.");
    head->keep_alive = !head->version_1_0;
    read_method(head, line);
    return read_target(head, method_end + 1, reason);
}

static int read_length(struct mr_http_head *head, const char *value, const char **reason)
{
    size_t digits = strspn(value, "0123456789");
    if (head->has_length || digits == 0 || digits > 18 || value[digits] != 0)
        return refuse(400, reason, "Content-Length is not one plain number.");
    head->has_length = true;
    for (size_t i = 0; i < digits; i++)
        head->content_length = head->content_length * 10 + (uint64_t)(value[i] - '0');
    return 0;
}

/* Whether a comma-separated list has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    while (*list != 0) {
        list += strspn(list, " \t,");
        size_t part = strcspn(list, " \t,");
        if (part == size && strncasecmp(list, word, size) == 0)
            return true;
        list += part;
    }
    return false;
}

static void read_websocket_field(struct mr_http_head *head, const char *name, const char *value)
{
    if (strcasecmp(name, "origin") == 0) {
        head->origin = value;
    } else if (strcasecmp(name, "upgrade") == 0) {
        head->upgrade_websocket = head->upgrade_websocket || has_word(value, "websocket");
    } else if (strcasecmp(name, "sec-websocket-version") == 0) {
        head->websocket_version = value;
    } else if (strcasecmp(name, "sec-websocket-key") == 0) {
        head->websocket_key = value;
        head->websocket_keys_count++;
    }
}

static int read_field(struct mr_http_head *head, const char *name, const char *value,
                      uint32_t *hosts_count, const char **reason)
{
    if (strcasecmp(name, "content-length") == 0)
        return read_length(head, value, reason);
    if (strcasecmp(name, "transfer-encoding") == 0) {
        if (head->chunked || head->version_1_0)
            return refuse(400, reason, "Transfer-Encoding is given twice, or in HTTP/1.0.");
        if (strcasecmp(value, "chunked") != 0)
            return refuse(501, reason, "The only transfer encoding is chunked.");
        head->chunked = true;
    } else if (strcasecmp(name, "host") == 0) {
        (*hosts_count)++;
    } else if (strcasecmp(name, "connection") == 0) {
        if (has_word(value, "close"))
            head->keep_alive = false;
        else if (head->version_1_0 && has_word(value, "keep-alive"))
            head->keep_alive = true;
        head->connection_upgrade = head->connection_upgrade || has_word(value, "upgrade");
    } else if (strcasecmp(name, "expect") == 0) {
        if (strcasecmp(value, "100-continue") != 0)
            return refuse(417, reason, "The only expectation is 100-continue.");
        head->expects_continue = !head->version_1_0;
    } else if (strcasecmp(name, "content-type") == 0) {
        head->content_type = value;
    } else if (strcasecmp(name, "accept") == 0) {
        head->accept = value;
    } else if (strcasecmp(name, "authorization") == 0) {
        head->authorization = value;
    } else {
        read_websocket_field(head, name, value);
    }
    return 0;
}

/* One field line, "Name: value", which is changed in place. */
static int read_field_line(struct mr_http_head *head, char *line, uint32_t *hosts_count,
                           const char **reason)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line)
        return refuse(400, reason, "A header field is not NAME: VALUE.");
    *colon = 0;
    for (const char *cursor = line; *cursor != 0; cursor++) {
        if (!is_token((uint8_t)*cursor))
            return refuse(400, reason, "A header field's name is no token.");
    }
    char *value = colon + 1;
    value += strspn(value, " \t");
    size_t size = strlen(value);
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        value[--size] = 0;
    for (size_t i = 0; i < size; i++) {
        if (((uint8_t)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return refuse(400, reason, "A header field has a control character.");
    }
    return read_field(head, line, value, hosts_count, reason);
}

/* The lines behind the request line. */
static int read_fields(struct mr_http_head *head, char *line, uint32_t *hosts_count,
                       const char **reason)
{
    uint32_t count = 0;
    while (*line != 0) {
        char *end = strstr(line, "\r\n");
        MR_ASSERT(end != NULL);
        *end = 0;
        if (++count > MR_HTTP_FIELDS_MAX)
            return refuse(431, reason, "The request has more than 100 header fields.");
        int code = read_field_line(head, line, hosts_count, reason);
        if (code != 0)
            return code;
        line = end + 2;
    }
    return 0;
}

int mr_http_head_parse(struct mr_slice bytes, struct mr_arena *arena, struct mr_http_head *head,
                       const char **reason)
{
    MR_ASSERT(bytes.size >= 4);
    *head = (struct mr_http_head){.path = "",
                                  .query = "",
                                  .content_type = "",
                                  .accept = "",
                                  .authorization = "",
                                  .origin = "",
                                  .websocket_version = "",
                                  .websocket_key = ""};
    if (memchr(bytes.data, 0, bytes.size) != NULL)
        return refuse(400, reason, "The request's head has a NUL byte.");
    /* Without the empty line's own end: each line that is left ends with CR LF. */
    char *text = mr_arena_copy_bytes_text(arena, bytes.data, bytes.size - 2);
    char *line_end = strstr(text, "\r\n");
    *line_end = 0;
    int code = read_request_line(head, text, reason);
    uint32_t hosts_count = 0;
    if (code == 0)
        code = read_fields(head, line_end + 2, &hosts_count, reason);
    if (code != 0)
        return code;
    if (hosts_count > 1 || (hosts_count == 0 && !head->version_1_0))
        return refuse(400, reason, "The request needs exactly one Host field.");
    if (head->chunked && head->has_length)
        return refuse(400, reason, "The request has a length and chunks.");
    return 0;
}

bool mr_http_head_asks_websocket(const struct mr_http_head *head)
{
    return head->method_known && head->method == MR_HTTP_GET && !head->head_only &&
           !head->version_1_0 && head->connection_upgrade && head->upgrade_websocket &&
           strcmp(head->websocket_version, "13") == 0 && head->websocket_keys_count == 1 &&
           mr_websocket_key_valid(head->websocket_key);
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

char *mr_http_percent_decode(struct mr_arena *arena, const char *text, size_t size)
{
    char *decoded = mr_arena_take(arena, size + 1);
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte == '%') {
            int high = size - i > 2 ? hex_digit((uint8_t)text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit((uint8_t)text[i + 2]);
            if (low < 0)
                return NULL;
            byte = (uint8_t)(high * 16 + low);
            i += 2;
        }
        if (byte == 0)
            return NULL;
        decoded[length++] = (char)byte;
    }
    decoded[length] = 0;
    return mr_utf8_valid(mr_slice_from(decoded, length)) ? decoded : NULL;
}

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LINE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF
};

/* One byte of the line that holds a chunk's size. */
static bool take_size_byte(struct mr_http_chunks *chunks, uint8_t byte)
{
    int digit = hex_digit(byte);
    if (++chunks->line_bytes > CHUNK_LINE_BYTES_MAX)
        return false;
    if (chunks->phase == CHUNK_SIZE && digit >= 0) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        return chunks->line_bytes <= 8;
    }
    if (byte == '\r' && chunks->line_bytes > 1) {
        chunks->phase = CHUNK_SIZE_LF;
        return true;
    }
    if (chunks->phase == CHUNK_SIZE) {
        chunks->phase = CHUNK_EXTENSION;
        return byte == ';' && chunks->line_bytes > 1;
    }
    return byte >= ' ' || byte == '\t';
}

/* One byte that is not data. False: broken. The end is phase CHUNK_LAST_LF with left 1. */
static bool take_frame_byte(struct mr_http_chunks *chunks, uint8_t byte)
{
    switch (chunks->phase) {
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
        return take_size_byte(chunks, byte);
    case CHUNK_SIZE_LF:
        chunks->phase = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return byte == '\n';
    case CHUNK_DATA_CR:
        chunks->phase = CHUNK_DATA_LF;
        return byte == '\r';
    case CHUNK_DATA_LF:
        chunks->phase = CHUNK_SIZE;
        chunks->line_bytes = 0;
        return byte == '\n';
    case CHUNK_TRAILER:
        chunks->phase = byte == '\r' ? CHUNK_LAST_LF : CHUNK_TRAILER_LINE;
        return ++chunks->trailer_bytes <= TRAILER_BYTES_MAX && byte != '\n';
    case CHUNK_TRAILER_LINE:
        if (byte == '\r')
            chunks->phase = CHUNK_TRAILER_LF;
        return ++chunks->trailer_bytes <= TRAILER_BYTES_MAX && byte != '\n';
    case CHUNK_TRAILER_LF:
        chunks->phase = CHUNK_TRAILER;
        return byte == '\n';
    default:
        chunks->left = 1;
        return byte == '\n';
    }
}

enum mr_http_chunk_result mr_http_chunks_take(struct mr_http_chunks *chunks, struct mr_slice bytes,
                                              size_t *used, struct mr_buffer *body)
{
    size_t offset = 0;
    enum mr_http_chunk_result result = MR_HTTP_CHUNK_MORE;
    while (offset < bytes.size && result == MR_HTTP_CHUNK_MORE) {
        if (chunks->phase == CHUNK_DATA) {
            size_t size = bytes.size - offset;
            size = chunks->left < size ? (size_t)chunks->left : size;
            if (mr_buffer_append(body, bytes.data + offset, size) != MR_OK)
                result = MR_HTTP_CHUNK_TOO_LARGE;
            chunks->left -= size;
            offset += size;
            if (chunks->left == 0)
                chunks->phase = CHUNK_DATA_CR;
        } else if (!take_frame_byte(chunks, bytes.data[offset++])) {
            result = MR_HTTP_CHUNK_BAD;
        } else if (chunks->phase == CHUNK_LAST_LF && chunks->left == 1) {
            result = MR_HTTP_CHUNK_END;
        }
    }
    *used = offset;
    return result;
}
