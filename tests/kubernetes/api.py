"""A client of the Kubernetes API as the process runner and its tests need it: JSON over HTTPS, with
the address and the token of a kubeconfig. The test cluster's certificate is its own."""

import http.client
import json
import ssl
import threading
from urllib.parse import urlencode, urlsplit

import yaml


class Refused(Exception):
    """An answer of 400 or more: its code, and the Status that came with it."""

    def __init__(self, code, status):
        super().__init__(f"{code}: {status.get('message', status)}")
        self.code, self.status = code, status


class Api:
    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        self.address = urlsplit(config["clusters"][0]["cluster"]["server"])
        self.token = config["users"][0]["user"]["token"]
        self.trust = ssl.create_default_context()
        self.trust.check_hostname = False
        self.trust.verify_mode = ssl.CERT_NONE
        self.own = threading.local()  # a connection per thread: a handshake costs more than a list

    def _exchange(self, method, target, body, kind):
        """(code, text). A connection that the server closed meanwhile is made anew, once."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        for last in (False, True):
            if last or getattr(self.own, "connection", None) is None:
                self.own.connection = http.client.HTTPSConnection(
                    self.address.hostname, self.address.port, context=self.trust, timeout=30)
            try:
                self.own.connection.request(method, target, body, headers)
                answer = self.own.connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, http.client.HTTPException):
                self.own.connection.close()
                self.own.connection = None
                if last:
                    raise
        return None

    def request(self, method, path, body=None, kind="application/json", **query):
        """The object that is answered. Threads may share this."""
        target = path + ("?" + urlencode(query) if query else "")
        code, text = self._exchange(method, target, None if body is None else json.dumps(body),
                                    kind)
        found = json.loads(text) if text.startswith("{") else {"message": text}
        if code >= 400:
            raise Refused(code, found)
        return found

    def get(self, path, **query):
        return self.request("GET", path, **query)

    def items(self, path, **query):
        return self.get(path, **query)["items"]

    def create(self, path, body, exists_is_fine=False):
        try:
            return self.request("POST", path, body)
        except Refused as refused:
            if refused.code != 409 or not exists_is_fine:
                raise
        return None

    def merge(self, path, body):
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path, uid=None, grace=None):
        """Deletes; what is gone already, or is another of the same name, is left."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self.request("DELETE", path, options)
        except Refused as refused:
            if refused.code not in (404, 409):
                raise
