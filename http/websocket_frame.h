/* http/websocket_frame.h — WebSocket frames (RFC 6455): from a client's bytes to messages, heads of
 * frames to send, and the answer to a handshake's key.
 * Why: libwebsockets drives raw connections only (docs/adr/0006-http-folder.md), so frames are read
 * here, strictly: what a client must not send names the close code that it gets.
 * Model: bytes in pieces of any size; the reader joins fragments into one message, and gives
 * control frames as they come, also between fragments.
 *
 *   byte 0  FIN 1 | RSV 3 (0) | opcode 4      byte 1  MASK 1 | length 7 (126: 2 more, 127: 8 more)
 *   then    mask 4 (clients must), payload XOR mask
 *
 * Limits: a message of message_bytes_max, a control frame of 125 bytes. Pure: no sockets, no clock.
 * Threads: one at a time. */
#ifndef MR_HTTP_WEBSOCKET_FRAME_H
#define MR_HTTP_WEBSOCKET_FRAME_H

#include "base/buffer.h"

enum {
    MR_WEBSOCKET_CONTROL_BYTES_MAX = 125,
    MR_WEBSOCKET_HEAD_BYTES_MAX = 10, /* of a frame to send: without a mask */
    MR_WEBSOCKET_KEY_BYTES = 24,      /* of a handshake: 16 bytes in base64 */
    MR_WEBSOCKET_ACCEPT_SIZE = 29     /* its answer, with the NUL */
};

enum mr_websocket_opcode {
    MR_WEBSOCKET_CONTINUATION = 0,
    MR_WEBSOCKET_TEXT = 1,
    MR_WEBSOCKET_BINARY = 2,
    MR_WEBSOCKET_CLOSE = 8,
    MR_WEBSOCKET_PING = 9,
    MR_WEBSOCKET_PONG = 10
};

/* Close codes that are used or looked at here. */
enum mr_websocket_code {
    MR_WEBSOCKET_NORMAL = 1000,
    MR_WEBSOCKET_GOING_AWAY = 1001,
    MR_WEBSOCKET_PROTOCOL_ERROR = 1002,
    MR_WEBSOCKET_UNSUPPORTED = 1003,
    MR_WEBSOCKET_NO_CODE = 1005, /* never sent: a close frame without a code */
    MR_WEBSOCKET_NOT_TEXT = 1007,
    MR_WEBSOCKET_POLICY = 1008,
    MR_WEBSOCKET_TOO_LARGE = 1009,
    MR_WEBSOCKET_TRY_LATER = 1013
};

enum mr_websocket_event {
    MR_WEBSOCKET_GOT_NOTHING, /* all bytes are taken */
    MR_WEBSOCKET_GOT_MESSAGE, /* a whole text: reader->message, until the next take */
    MR_WEBSOCKET_GOT_PING,    /* reader->control */
    MR_WEBSOCKET_GOT_PONG,
    MR_WEBSOCKET_GOT_CLOSE, /* reader->code is the client's, 1005: it gave none */
    MR_WEBSOCKET_GOT_ERROR  /* close with reader->code and reader->reason; take nothing more */
};

struct mr_websocket_reader {
    struct mr_buffer message;
    uint8_t control[MR_WEBSOCKET_CONTROL_BYTES_MAX];
    uint32_t control_size;
    uint16_t code;
    const char *reason; /* static */
    uint8_t head[14];
    uint32_t head_size;
    bool in_payload;
    bool in_message; /* behind a first fragment */
    bool given;      /* message was given, and is dropped with the next frame of data */
    bool final;
    enum mr_websocket_opcode opcode; /* of the frame */
    uint8_t mask[4];
    uint32_t mask_index;
    uint64_t left; /* payload bytes of the frame */
};

void mr_websocket_reader_init(struct mr_websocket_reader *reader, size_t message_bytes_max);
void mr_websocket_reader_deinit(struct mr_websocket_reader *reader);
/* Take from bytes up to the next event; *used says how many were taken. */
enum mr_websocket_event mr_websocket_reader_take(struct mr_websocket_reader *reader,
                                                 struct mr_slice bytes, size_t *used);

/* The head of a frame to send. Returns its size. */
size_t mr_websocket_head(enum mr_websocket_opcode opcode, bool final, uint64_t payload_size,
                         uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX]);

/* Whether key is 16 bytes in base64. */
bool mr_websocket_key_valid(const char *key);
/* The server's answer to the key: Sec-WebSocket-Accept. Pre: it is valid. */
void mr_websocket_accept(const char *key, char accept[MR_WEBSOCKET_ACCEPT_SIZE]);

#endif
