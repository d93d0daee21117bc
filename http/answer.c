/* http/answer.c — answers: problem documents and the head in front of a body. */
#include "base/assert.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "http/internal.h"

enum { PROBLEM_BYTES_MAX = 16 << 10, HEAD_BYTES_MAX = 8 << 10 };

static const struct {
    int code;
    const char *title;
} titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *title_of(int code)
{
    for (size_t i = 0; i < MR_ARRAY_COUNT(titles); i++) {
        if (titles[i].code == code)
            return titles[i].title;
    }
    return code < 400 ? "Done" : "Error";
}

/* Nothing in a field may end the line. */
static bool is_field_text(const char *text)
{
    for (; *text != 0; text++) {
        if ((uint8_t)*text < ' ' || (uint8_t)*text >= 0x7f)
            return false;
    }
    return true;
}

struct mr_http_answer *mr_http_answer_create(int code, const char *content_type,
                                             struct mr_slice body)
{
    MR_ASSERT(code >= 200 && code <= 599);
    struct mr_http_answer *answer = mr_memory_new(1, sizeof *answer);
    MR_ASSERT(strlen(content_type) < sizeof answer->content_type && is_field_text(content_type));
    answer->code = code;
    memcpy(answer->content_type, content_type, strlen(content_type) + 1);
    answer->body_size = body.size;
    if (body.size > 0)
        answer->body = (uint8_t *)mr_memory_copy_bytes(body.data, body.size);
    return answer;
}

void mr_http_answer_destroy(struct mr_http_answer *answer)
{
    if (answer == NULL)
        return;
    mr_memory_free(answer->fields);
    mr_memory_free(answer->body);
    mr_memory_free(answer);
}

/* A JSON string; what is not UTF-8 becomes U+FFFD. The buffer's ceiling cuts, between characters.
 */
static void append_json_text(struct mr_buffer *buffer, const char *text)
{
    const uint8_t *cursor = (const uint8_t *)text;
    const uint8_t *end = cursor + strlen(text);
    while (cursor < end && buffer->size + 64 < buffer->size_max) {
        uint32_t code_point;
        size_t size = mr_utf8_decode(cursor, end, &code_point);
        enum mr_status status;
        if (size == 0)
            status = mr_buffer_append_text(buffer, "\xef\xbf\xbd");
        else if (code_point < 0x20 || code_point == 0x7f)
            status = mr_buffer_append_format(buffer, "\\u%04x", (unsigned)code_point);
        else if (code_point == '"' || code_point == '\\')
            status = mr_buffer_append_format(buffer, "\\%c", (char)code_point);
        else
            status = mr_buffer_append(buffer, cursor, size);
        MR_ASSERT(status == MR_OK);
        cursor += size == 0 ? 1 : size;
    }
}

struct mr_http_answer *mr_http_answer_problem(int code, const char *fields, const char *detail)
{
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, PROBLEM_BYTES_MAX);
    enum mr_status status = mr_buffer_append_format(
        &buffer, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"",
        title_of(code), code);
    MR_ASSERT(status == MR_OK);
    append_json_text(&buffer, detail);
    status = mr_buffer_append_text(&buffer, "\"}\n");
    MR_ASSERT(status == MR_OK);
    struct mr_http_answer *answer =
        mr_http_answer_create(code, "application/problem+json", mr_buffer_view(&buffer));
    answer->fields = fields == NULL ? NULL : mr_memory_copy_text(fields);
    mr_buffer_deinit(&buffer);
    return answer;
}

void mr_http_answer_head(const struct mr_http_answer *answer, bool keep_alive,
                         struct mr_buffer *head)
{
    mr_buffer_init(head, HEAD_BYTES_MAX);
    bool has_type = answer->content_type[0] != 0;
    enum mr_status status = mr_buffer_append_format(
        head, "HTTP/1.1 %d %s\r\n%s%s%s%s", answer->code, title_of(answer->code),
        has_type ? "Content-Type: " : "", answer->content_type, has_type ? "\r\n" : "",
        answer->fields == NULL ? "" : answer->fields);
    if (status == MR_OK && answer->code != 204)
        status = mr_buffer_append_format(head, "Content-Length: %zu\r\n", answer->body_size);
    if (status == MR_OK)
        status = mr_buffer_append_format(head,
                                         "Cache-Control: no-store\r\n"
                                         "X-Content-Type-Options: nosniff\r\n"
                                         "Connection: %s\r\n\r\n",
                                         keep_alive ? "keep-alive" : "close");
    MR_ASSERT(status == MR_OK);
}
