/* coordinator/kubernetes_json.c — see kubernetes_json.h.
 * Design: what jansson takes is not looked at twice. Otherwise the text is copied token by token
 * with what it does not take replaced; whether the rest is JSON is for jansson to say. */
#include "coordinator/kubernetes_json.h"

#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { INTEGER_SIZE = 32 /* more than the longest of 64 bits */ };

struct repair {
    struct mr_buffer buffer;
    uint32_t depth;
    enum mr_status status;
};

/* What is too deep is left out. */
static void put(struct repair *repair, const uint8_t *bytes, size_t size)
{
    if (repair->status == MR_OK && repair->depth <= MR_KUBERNETES_JSON_DEPTH)
        repair->status = mr_buffer_append(&repair->buffer, bytes, size);
}

static void put_text(struct repair *repair, const char *text)
{
    put(repair, (const uint8_t *)text, strlen(text));
}

/* From a quote to behind the next. Returns how many bytes that is; of all, where there is none. */
static size_t copy_string(struct repair *repair, struct mr_slice rest)
{
    static const char nul[] = "\\u0000";
    size_t begin = 0;
    size_t at = 1;
    while (at < rest.size && rest.data[at] != '"') {
        if (rest.size - at >= sizeof(nul) - 1 &&
            memcmp(rest.data + at, nul, sizeof(nul) - 1) == 0) {
            put(repair, rest.data + begin, at - begin);
            put_text(repair, MR_KUBERNETES_NUL);
            at += sizeof(nul) - 1;
            begin = at;
        } else {
            at += rest.data[at] == '\\' ? 2 : 1;
        }
    }
    size_t size = at < rest.size ? at + 1 : rest.size;
    put(repair, rest.data + begin, size - begin);
    return size;
}

static bool is_in_number(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("+-.eE", byte) != NULL);
}

static bool is_too_large(const uint8_t *digits, size_t size)
{
    char text[INTEGER_SIZE];
    if (size >= sizeof(text))
        return true;
    (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)digits);
    errno = 0;
    (void)strtoll(text, NULL, 10);
    return errno == ERANGE;
}

static size_t copy_number(struct repair *repair, struct mr_slice rest)
{
    size_t size = 0;
    bool integer = true;
    for (; size < rest.size && is_in_number(rest.data[size]); size++)
        integer = integer && strchr(".eE", rest.data[size]) == NULL;
    put(repair, rest.data, size);
    if (integer && is_too_large(rest.data, size))
        put_text(repair, ".0");
    return size;
}

static size_t copy_token(struct repair *repair, struct mr_slice rest)
{
    uint8_t first = rest.data[0];
    if (first == '"')
        return copy_string(repair, rest);
    if (is_in_number(first))
        return copy_number(repair, rest);
    if (first == '{' || first == '[') {
        if (repair->depth == MR_KUBERNETES_JSON_DEPTH)
            put_text(repair, "null");
        repair->depth++;
    }
    put(repair, &first, 1);
    if ((first == '}' || first == ']') && repair->depth > 0)
        repair->depth--;
    return 1;
}

json_t *mr_kubernetes_json(struct mr_slice text)
{
    json_t *value = json_loadb((const char *)text.data, text.size, 0, NULL);
    if (value != NULL)
        return value;
    struct repair repair = {.status = MR_OK};
    mr_buffer_init(&repair.buffer, 2 * text.size + INTEGER_SIZE); /* ".0" for many digits each */
    for (size_t at = 0; at < text.size;)
        at += copy_token(&repair, mr_slice_from(text.data + at, text.size - at));
    struct mr_slice repaired = mr_buffer_view(&repair.buffer);
    if (repair.status == MR_OK)
        value = json_loadb((const char *)repaired.data, repaired.size, 0, NULL);
    mr_buffer_deinit(&repair.buffer);
    return value;
}
