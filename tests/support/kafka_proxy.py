"""A TCP proxy before a broker that can hold one EndTxn or Produce back, as a slow network may.

Kafka's request is a size, then a header (api key, version, correlation id, client id) and a body;
the bodies of Produce and EndTxn begin with the transactional id, so that is all the proxy reads.
The broker must advertise the proxy's address. A held request's connection to the client is closed,
so that the client repeats it; the request itself is kept, with its connection to the broker, until
it is let go: to the broker it then looks like one that was delayed on the way (KAFKA-17754).
"""

import select
import socket
import struct
import threading
import time

PRODUCE, END_TXN = 0, 26
FLEXIBLE_FROM = {PRODUCE: 9, END_TXN: 3}


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def read_frame(connection):
    """Size and body; None at the end of the connection."""
    size = read_exactly(connection, 4)
    if size is None:
        return None
    body = read_exactly(connection, struct.unpack(">i", size)[0])
    return None if body is None else size + body


def transactional_id(frame):
    """The request's api key, and its transactional id for the kinds that the proxy looks at."""
    api_key, version, _, client_size = struct.unpack(">hhih", frame[4:14])
    if api_key not in FLEXIBLE_FROM:
        return api_key, None
    at = 14 + max(client_size, 0)
    if version >= FLEXIBLE_FROM[api_key]:
        size = frame[at + 1] - 1  # behind the header's empty tags; ids here are short
        at += 2
    else:
        size = struct.unpack(">h", frame[at:at + 2])[0]
        at += 2
    return api_key, frame[at:at + size].decode() if size >= 0 else None


def produce_error(answer, version):
    """The error code of the first partition in the answer to a Produce."""
    at = 8  # behind size and correlation id
    if version >= FLEXIBLE_FROM[PRODUCE]:  # compact arrays and strings, shorter than 127
        at += 2  # the header's empty tags, one topic
        at += 16 if version >= 13 else answer[at]  # its id, or its name with the length
        at += 1
    else:
        at += 4
        at += 2 + struct.unpack(">h", answer[at:at + 2])[0] + 4
    return struct.unpack(">h", answer[at + 4:at + 6])[0]


class Proxy:
    def __init__(self, port, broker_port):
        self.broker_port = broker_port
        self.armed_after = None   # such requests of data producers to let pass first
        self.armed_key = END_TXN
        self.held = None          # (request, connection to the broker)
        self.held_id = None
        self.repeated = threading.Event()  # the held id's next EndTxn has come
        self.produced = threading.Event()  # and after it a Produce of the same id was answered
        self.lock = threading.Lock()
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_end_txn(self, after):
        """Hold the first EndTxn of a data producer behind `after` of them."""
        self.armed_after = after

    def hold_produce(self, after):
        """Hold the first Produce of a data producer behind `after` of them."""
        self.armed_key, self.armed_after = PRODUCE, after

    def let_go(self):
        """Send the held request on and return the error code of the broker's answer."""
        request, broker = self.held
        time.sleep(0.2)  # the thread that read this connection's answers has left
        broker.sendall(request)
        answer = read_frame(broker)
        while answer[4:8] != request[8:12]:  # answers to what was sent before it come first
            answer = read_frame(broker)
        version = struct.unpack(">h", request[6:8])[0]
        if self.armed_key == PRODUCE:
            return produce_error(answer, version)
        tags = 1 if version >= FLEXIBLE_FROM[END_TXN] else 0
        at = 4 + 4 + tags + 4  # behind size, correlation id, tags, throttle time
        return struct.unpack(">h", answer[at:at + 2])[0]

    def close(self):
        if self.listener.fileno() < 0:
            return  # it was closed before
        self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept that holds the port
        self.listener.close()
        for connection in self.sockets:
            connection.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.broker_port))
            except OSError:
                client.close()
                continue
            for connection in (client, broker):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, broker]
            state = {"held": False, "produces": set()}
            for work in (self._forward, self._answer):
                threading.Thread(target=work, args=(client, broker, state), daemon=True).start()

    def _holds(self, api_key, identity):
        if api_key != self.armed_key or identity is None or ".data." not in identity:
            return False
        with self.lock:
            if self.held_id == identity:
                self.repeated.set()
            if self.armed_after is None or self.held_id is not None:
                return False
            self.armed_after -= 1
            if self.armed_after >= 0:
                return False
            self.held_id = identity
            return True

    def _forward(self, client, broker, state):
        try:
            while (frame := read_frame(client)) is not None:
                api_key, identity = transactional_id(frame)
                if self._holds(api_key, identity):
                    state["held"] = True
                    self.held = (frame, broker)
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if api_key == PRODUCE and identity == self.held_id and self.repeated.is_set():
                    state["produces"].add(frame[8:12])
                broker.sendall(frame)
        except OSError:
            pass
        if not state["held"]:
            self._end(client, broker)

    def _answer(self, client, broker, state):
        try:
            while not state["held"] and (frame := self._read_answer(broker, state)) is not None:
                if frame[4:8] in state["produces"]:
                    self.produced.set()
                client.sendall(frame)
        except OSError:
            pass
        if not state["held"]:
            self._end(client, broker)

    @staticmethod
    def _read_answer(broker, state):
        """One answer; None once the connection's request is held: from then on let_go reads."""
        while not state["held"]:
            if select.select([broker], [], [], 0.05)[0]:
                return read_frame(broker)
        return None

    @staticmethod
    def _end(*connections):
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
