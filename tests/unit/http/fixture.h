/* tests/unit/http/fixture.h — raw sockets for what a client library would never send. */
#ifndef MR_TESTS_HTTP_FIXTURE_H
#define MR_TESTS_HTTP_FIXTURE_H

#include "http/server.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A server on a free port of the loopback, with options besides address. */
struct mr_http_server *http_start(struct mr_http_server_options options);
/* A connection to port; a read of it gives up after 10 s. */
int http_connect(int port);
void http_send(int fd, const char *text);
void http_send_bytes(int fd, const void *data, size_t size);
/* Read one answer (its head and, by Content-Length, its body) as text; valid until the next call.
 * Empty when the connection ended first. */
const char *http_read_answer(int fd);
/* Send text, read the answer, check that it starts with "HTTP/1.1 CODE". Returns the answer. */
const char *http_expect(int fd, const char *text, int code);
/* Read until text has come, or the end. Returns whether it came. */
bool http_read_until(int fd, const char *text);
/* Whether the other side closes within the read's patience. */
bool http_is_closed(int fd);

#endif
