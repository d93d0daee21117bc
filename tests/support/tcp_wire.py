"""A TCP proxy on the loopback that can be cut, in both ways or in one, as a network may be.

What is under way in a direction that is held stays in the proxy and arrives late, when it is let
through again; a connection of a wire that is cut for good is closed, and new ones are refused.
"""

import socket
import threading


class Wire:
    def __init__(self, target_port, port=0):
        self.target_port = target_port
        self.open = {True: threading.Event(), False: threading.Event()}  # True: to the target
        self.broken, self.sockets = False, []
        self.mend()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, there=True, back=True):
        """Nothing passes in these directions; the connections stay, and say nothing of it."""
        for direction, held in ((True, there), (False, back)):
            if held:
                self.open[direction].clear()

    def break_off(self):
        """Close what is connected and refuse what comes."""
        self.broken = True
        self._close()

    def mend(self):
        self.broken = False
        for event in self.open.values():
            event.set()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept that holds the port
        self.listener.close()
        self.break_off()
        self.mend()

    def _close(self):
        sockets, self.sockets = self.sockets, []
        for connection in sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.broken:
                    raise OSError("cut")
                target = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            target.settimeout(None)
            for connection in (client, target):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, target]
            for words in ((client, target, True), (target, client, False)):
                threading.Thread(target=self._carry, args=words, daemon=True).start()

    def _carry(self, source, target, direction):
        try:
            while data := source.recv(65536):
                self.open[direction].wait()
                target.sendall(data)
        except OSError:
            pass
        for connection in (source, target):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
