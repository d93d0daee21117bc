"""A coordinator's API that answers what a test says, on a free port of the loopback.

Answers have the shapes of docs/openapi.yaml. Requests are kept, so that a test sees what was asked.
"""

import http.server
import json
import threading
import time


def problem(code, detail, **members):
    titles = {404: "Not Found", 409: "Conflict", 422: "Unprocessable Content"}
    return code, {"type": "about:blank", "title": titles.get(code, "Error"), "status": code,
                  "detail": detail, **members}


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def __repr__(self):
        return f"{self.method} {self.path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, dict(self.headers), self.rfile.read(size))
        fake = self.server.fake
        fake.requests.append(request)
        found = fake.find(request)
        if callable(found):
            found = found(request)
        if isinstance(found, Stream):
            self.stream(found)
            return
        code, value, *more = found
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        kind = "application/problem+json" if code >= 400 else "application/json"
        headers = {"Content-Type": kind, **(more[0] if more else {})}
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, found):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event, data in found.events:
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write(f"event: {event}\ndata: {text}\n\n".encode())
        self.wfile.flush()
        time.sleep(found.hold_s)
        self.close_connection = True

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_words):
        pass


class Stream:
    """Server-sent events, then the connection stays open for a while."""

    def __init__(self, events, hold_s=0.0):
        self.events, self.hold_s = events, hold_s


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up early is part of some tests."""


class FakeServer:
    """routes: "METHOD PATH" -> (code, value[, headers]), a Stream, or a function of the request. A
    route without a query stands for every query of its path."""

    def __init__(self, routes=None):
        self.routes = {"GET /v1/leader": (200, {"cluster": "c", "leads": True, "term": "1",
                                                "address": "tcp://a:1", "http": "a:1"})}
        self.routes.update(routes or {})
        self.requests = []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.fake = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def find(self, request):
        for path in (request.path, request.path.split("?")[0]):
            found = self.routes.get(f"{request.method} {path}")
            if found is not None:
                return found
        return problem(404, f"no route for {request}")

    def asked(self):
        return [repr(request) for request in self.requests]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
