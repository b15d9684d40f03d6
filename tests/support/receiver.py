"""A program that receives webhooks: checks them by the standard's recipe, and answers as told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import orjson


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        """Whether one of the signatures is the secret's, as Standard Webhooks has it verified."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return any(
            version == "v1" and hmac.compare_digest(signature, expected)
            for version, _, signature in (
                one.partition(",") for one in self.headers["webhook-signature"].split(" ")
            )
        )


class Receiver(ThreadingHTTPServer):
    """Listens on `url`. `answers` are the statuses of the next requests; then 204.

    It says `words` in its answers, after `seconds`; with `drips` a letter now and then, for ever.
    """

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.received: list[Received] = []
        self.answers: list[int] = []
        self.words = b""
        self.location = ""
        self.seconds = 0.0
        self.drips = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(Receiver, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.received.append(Received(self.path, headers, body))
        status = server.answers.pop(0) if server.answers else 204
        time.sleep(server.seconds)
        try:
            self.send_response(status)
            if server.location:
                self.send_header("Location", server.location)
            if server.drips:
                self.end_headers()
                while True:
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.05)
            self.send_header("Content-Length", str(len(server.words)))
            self.end_headers()
            self.wfile.write(server.words)
        except OSError:
            pass  # the sender has hung up

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def a_receiver(host: str = "127.0.0.1", port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(host, port)
    serving = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        serving.join()
