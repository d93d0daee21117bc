"""What the leader says on /v1/events while something is done: who was given which task, in order.
Tasks as they are before and after would not show one that went away and came back."""

import http.client
import json
import re
import socket
import threading
import time
from collections import defaultdict
from urllib.parse import urlsplit

ASSIGNED = re.compile(r"Task \S+/(\d+) is assigned to worker (\S+) at epoch \d+\.")
MOVES = re.compile(r"Task \S+/(\d+) moves from worker (\S+) to worker (\S+)\.")


class Events:
    """A subscription that lasts from its making to stop(). server: the leader's address. An
    `Events` hears what that coordinator says; whoever leads after it is not asked."""

    def __init__(self, server):
        place = urlsplit(server)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
        connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
        self.socket = connection.sock
        self.answer = connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.socket.settimeout(None)
        self.heard, self.ids, self.ended = [], [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.ids.append(int(value))
                elif name == "data":
                    self.heard.append(json.loads(value))
        except (OSError, ValueError):
            pass
        self.ended = True

    def stop(self):
        if not self.ended:
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.answer.close()

    def stop_whole(self):
        """Ends it and sees that none was missed: ids rise by one, and the leader has not ended the
        stream. Returns itself."""
        time.sleep(0.5)  # what was said a moment ago
        assert not self.ended, "the leader has ended the stream of events"
        self.stop()
        missing = sorted(set(range(min(self.ids, default=0), max(self.ids, default=-1) + 1))
                         - set(self.ids))
        assert not missing, f"events {missing} were missed"
        return self

    def _tasks(self, kind, pattern, worker):
        found = defaultdict(list)
        for one in self.heard:
            if one["event"] == kind:
                match = pattern.fullmatch(one["text"])
                assert match, one
                found[int(match[1])].append(match[worker])
        return found

    def assigned(self):
        """partition -> the workers that its task was given to, in order."""
        return self._tasks("task-assigned", ASSIGNED, 2)

    def moved(self):
        """partition -> the workers that its task was on its way to, in order."""
        return self._tasks("task-moves", MOVES, 3)
