/* http/websocket_frame.c — frames: see websocket_frame.h.
 * Design: the head is collected byte by byte and judged as soon as its first two bytes and its
 * length are there, so that a frame that is too large is refused before its payload comes. UTF-8 is
 * judged when the message is whole. */
#include "http/websocket_frame.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { SHORT_HEAD_BYTES = 2, MASK_BYTES = 4, LENGTH_16 = 126, LENGTH_64 = 127 };

void mr_websocket_reader_init(struct mr_websocket_reader *reader, size_t message_bytes_max)
{
    *reader = (struct mr_websocket_reader){0};
    mr_buffer_init(&reader->message, message_bytes_max);
}

void mr_websocket_reader_deinit(struct mr_websocket_reader *reader)
{
    mr_buffer_deinit(&reader->message);
}

static enum mr_websocket_event fail(struct mr_websocket_reader *reader, enum mr_websocket_code code,
                                    const char *reason)
{
    reader->code = (uint16_t)code;
    reader->reason = reason;
    return MR_WEBSOCKET_GOT_ERROR;
}

static bool is_control(enum mr_websocket_opcode opcode)
{
    return opcode >= MR_WEBSOCKET_CLOSE;
}

/* The first two bytes of a head. */
static enum mr_websocket_event judge_start(struct mr_websocket_reader *reader)
{
    uint8_t opcode = reader->head[0] & 0x0f;
    bool known = opcode <= MR_WEBSOCKET_BINARY ||
                 (opcode >= MR_WEBSOCKET_CLOSE && opcode <= MR_WEBSOCKET_PONG);
    reader->final = (reader->head[0] & 0x80) != 0;
    if ((reader->head[0] & 0x70) != 0)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "a reserved bit is set");
    if (!known)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "unknown opcode");
    if ((reader->head[1] & 0x80) == 0)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "a client's frame must be masked");
    reader->opcode = (enum mr_websocket_opcode)opcode;
    if (is_control(reader->opcode) &&
        (!reader->final || (reader->head[1] & 0x7f) > MR_WEBSOCKET_CONTROL_BYTES_MAX))
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR,
                    "a control frame is whole and of at most 125 bytes");
    if (opcode == MR_WEBSOCKET_BINARY)
        return fail(reader, MR_WEBSOCKET_UNSUPPORTED, "only text is understood");
    if (reader->opcode == MR_WEBSOCKET_CONTINUATION && !reader->in_message)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "nothing to continue");
    if (reader->opcode == MR_WEBSOCKET_TEXT && reader->in_message)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "a message begins inside another");
    return MR_WEBSOCKET_GOT_NOTHING;
}

static uint32_t length_bytes(uint8_t second)
{
    uint8_t length = second & 0x7f;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* The whole head. */
static enum mr_websocket_event begin_payload(struct mr_websocket_reader *reader)
{
    uint32_t extra = length_bytes(reader->head[1]);
    uint64_t length = reader->head[1] & 0x7f;
    for (uint32_t index = 0; index < extra; index++)
        length = (index == 0 ? 0 : length << 8) | reader->head[SHORT_HEAD_BYTES + index];
    if ((extra == 8 && (length <= UINT16_MAX || length > INT64_MAX)) ||
        (extra == 2 && length < LENGTH_16))
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "a length is not written as it must be");
    memcpy(reader->mask, reader->head + SHORT_HEAD_BYTES + extra, MASK_BYTES);
    reader->mask_index = 0;
    reader->left = length;
    reader->head_size = 0;
    reader->in_payload = true;
    if (is_control(reader->opcode)) {
        reader->control_size = 0;
        return MR_WEBSOCKET_GOT_NOTHING;
    }
    if (reader->given)
        mr_buffer_clear(&reader->message);
    reader->given = false;
    reader->in_message = true;
    if (length > reader->message.size_max - reader->message.size)
        return fail(reader, MR_WEBSOCKET_TOO_LARGE, "the message is too large");
    return MR_WEBSOCKET_GOT_NOTHING;
}

static enum mr_websocket_event take_head(struct mr_websocket_reader *reader, struct mr_slice bytes,
                                         size_t *used)
{
    while (*used < bytes.size && !reader->in_payload) {
        enum mr_websocket_event event = MR_WEBSOCKET_GOT_NOTHING;
        reader->head[reader->head_size++] = bytes.data[(*used)++];
        if (reader->head_size == SHORT_HEAD_BYTES)
            event = judge_start(reader);
        if (event != MR_WEBSOCKET_GOT_NOTHING)
            return event;
        if (reader->head_size >= SHORT_HEAD_BYTES &&
            reader->head_size == SHORT_HEAD_BYTES + length_bytes(reader->head[1]) + MASK_BYTES)
            event = begin_payload(reader);
        if (event != MR_WEBSOCKET_GOT_NOTHING)
            return event;
    }
    return MR_WEBSOCKET_GOT_NOTHING;
}

static void take_payload(struct mr_websocket_reader *reader, struct mr_slice bytes, size_t *used)
{
    size_t size = bytes.size - *used;
    if (size > reader->left)
        size = (size_t)reader->left;
    uint8_t *target = reader->control + reader->control_size;
    if (!is_control(reader->opcode)) {
        enum mr_status status = mr_buffer_reserve(&reader->message, size);
        MR_ASSERT(status == MR_OK); /* begin_payload has looked */
        target = reader->message.data + reader->message.size;
        reader->message.size += size;
    } else {
        reader->control_size += (uint32_t)size;
    }
    for (size_t index = 0; index < size; index++)
        target[index] = bytes.data[*used + index] ^ reader->mask[(reader->mask_index + index) % 4];
    reader->mask_index = (uint32_t)((reader->mask_index + size) % 4);
    reader->left -= size;
    *used += size;
}

/* Codes that a peer may send. */
static bool is_sendable(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum mr_websocket_event judge_close(struct mr_websocket_reader *reader)
{
    reader->code = MR_WEBSOCKET_NO_CODE;
    if (reader->control_size == 0)
        return MR_WEBSOCKET_GOT_CLOSE;
    if (reader->control_size == 1)
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "half a close code");
    uint16_t code = (uint16_t)(reader->control[0] << 8 | reader->control[1]);
    if (!is_sendable(code))
        return fail(reader, MR_WEBSOCKET_PROTOCOL_ERROR, "a close code that must not be sent");
    if (!mr_utf8_valid(mr_slice_from(reader->control + 2, reader->control_size - 2)))
        return fail(reader, MR_WEBSOCKET_NOT_TEXT, "the close frame's reason is not UTF-8");
    reader->code = code;
    return MR_WEBSOCKET_GOT_CLOSE;
}

static enum mr_websocket_event end_frame(struct mr_websocket_reader *reader)
{
    reader->in_payload = false;
    switch (reader->opcode) {
    case MR_WEBSOCKET_CLOSE:
        return judge_close(reader);
    case MR_WEBSOCKET_PING:
        return MR_WEBSOCKET_GOT_PING;
    case MR_WEBSOCKET_PONG:
        return MR_WEBSOCKET_GOT_PONG;
    case MR_WEBSOCKET_CONTINUATION:
    case MR_WEBSOCKET_TEXT:
    case MR_WEBSOCKET_BINARY:
    default:
        break;
    }
    if (!reader->final)
        return MR_WEBSOCKET_GOT_NOTHING;
    reader->in_message = false;
    reader->given = true;
    if (!mr_utf8_valid(mr_buffer_view(&reader->message)))
        return fail(reader, MR_WEBSOCKET_NOT_TEXT, "the message is not UTF-8");
    return MR_WEBSOCKET_GOT_MESSAGE;
}

enum mr_websocket_event mr_websocket_reader_take(struct mr_websocket_reader *reader,
                                                 struct mr_slice bytes, size_t *used)
{
    *used = 0;
    while (*used < bytes.size) {
        enum mr_websocket_event event = MR_WEBSOCKET_GOT_NOTHING;
        if (!reader->in_payload)
            event = take_head(reader, bytes, used);
        if (event == MR_WEBSOCKET_GOT_NOTHING && reader->in_payload) {
            take_payload(reader, bytes, used);
            if (reader->left == 0)
                event = end_frame(reader);
        }
        if (event != MR_WEBSOCKET_GOT_NOTHING)
            return event;
    }
    return MR_WEBSOCKET_GOT_NOTHING;
}

size_t mr_websocket_head(enum mr_websocket_opcode opcode, bool final, uint64_t payload_size,
                         uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX])
{
    head[0] = (uint8_t)((final ? 0x80u : 0u) | (uint32_t)opcode);
    if (payload_size < LENGTH_16) {
        head[1] = (uint8_t)payload_size;
        return SHORT_HEAD_BYTES;
    }
    uint32_t extra = payload_size <= UINT16_MAX ? 2 : 8;
    head[1] = extra == 2 ? LENGTH_16 : LENGTH_64;
    for (uint32_t index = 0; index < extra; index++)
        head[SHORT_HEAD_BYTES + index] = (uint8_t)(payload_size >> (8 * (extra - 1 - index)));
    return SHORT_HEAD_BYTES + extra;
}

/* ---- The handshake's key ---- */

static bool is_base64(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
}

bool mr_websocket_key_valid(const char *key)
{
    if (strlen(key) != MR_WEBSOCKET_KEY_BYTES || strcmp(key + 22, "==") != 0)
        return false;
    for (size_t index = 0; index < 22; index++)
        if (!is_base64(key[index]))
            return false;
    return true;
}

void mr_websocket_accept(const char *key, char accept[MR_WEBSOCKET_ACCEPT_SIZE])
{
    static const char constant[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    uint8_t text[MR_WEBSOCKET_KEY_BYTES + sizeof(constant) - 1];
    uint8_t digest[SHA_DIGEST_LENGTH];
    uint8_t encoded[MR_WEBSOCKET_ACCEPT_SIZE];
    MR_ASSERT(mr_websocket_key_valid(key));
    memcpy(text, key, MR_WEBSOCKET_KEY_BYTES);
    memcpy(text + MR_WEBSOCKET_KEY_BYTES, constant, sizeof(constant) - 1);
    (void)SHA1(text, sizeof(text), digest);
    int size = EVP_EncodeBlock(encoded, digest, sizeof(digest));
    MR_ASSERT(size + 1 == MR_WEBSOCKET_ACCEPT_SIZE);
    memcpy(accept, encoded, MR_WEBSOCKET_ACCEPT_SIZE);
}
