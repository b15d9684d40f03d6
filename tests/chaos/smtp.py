"""The mail server of the harness: it keeps what it gets, and can be slow, dead or hanging."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import Path
from typing import Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.chaos.proxy import Proxy
from webapp.devstack.processes import HOST, free_port

Mode = Literal["up", "slow", "dead", "hanging"]
AWAY: tuple[Mode, ...] = ("dead", "slow", "hanging")
Mail = tuple[str, str]  # Message-ID without its domain, recipient

SLOW_SECONDS = 4.0  # a mail; the product waits 5 for each answer


class _Keeper:
    """Keeps each mail's Message-ID and recipients, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self.delay = 0.0
        self.received: Counter[Mail] = Counter()
        self.received_at: dict[str, float] = {}  # time.time() of a recipient's first mail
        self._file = path.open("w", buffering=1)

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.delay:
            await asyncio.sleep(self.delay)
        content = envelope.content
        assert isinstance(content, bytes)
        key = message_key(content)
        for recipient in envelope.rcpt_tos:
            self.received[key, recipient] += 1
            self.received_at.setdefault(recipient, time.time())
            entry = {"time": time.time(), "key": key, "recipient": recipient}
            self._file.write(json.dumps(entry) + "\n")
        return "250 OK"

    def close(self) -> None:
        self._file.close()


class SmtpServer:
    """An SMTP server on 127.0.0.1 behind a proxy; a process reaches it at `url`.

    Up it takes every mail, slow each after `SLOW_SECONDS`; dead it refuses connections, hanging it
    takes them and never says a word. What it got is written to `path` as well.
    """

    def __init__(self, path: Path) -> None:
        self.mode: Mode = "up"
        self._keeper = _Keeper(path)
        self._controller = Controller(self._keeper, hostname=HOST, port=free_port())
        self._controller.start()
        self._proxy = Proxy(lambda: int(self._controller.port))
        self._timer: threading.Timer | None = None

    @property
    def url(self) -> str:
        """The address for SMTP_URL."""
        return f"smtp://{HOST}:{self._proxy.port}"

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return self._proxy.connections

    @property
    def received(self) -> Counter[Mail]:
        """How often each mail came, by Message-ID and recipient."""
        return self._keeper.received

    def received_at(self, recipient: str) -> float | None:
        """When the first mail to this address had come (time.time()); None if none has."""
        return self._keeper.received_at.get(recipient)

    def put(self, mode: Mode, seconds: float | None = None) -> None:
        """Be in this mode from now on, or for `seconds`, after which it is up again by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._enter(mode)
        if seconds is not None:
            self._timer = threading.Timer(seconds, self._enter, ["up"])
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """End the server, its proxy and their threads."""
        self.put("up")
        self._proxy.close()
        self._controller.stop()
        self._keeper.close()

    def _enter(self, mode: Mode) -> None:
        self._keeper.delay = SLOW_SECONDS if mode == "slow" else 0.0
        if mode == "dead":
            self._proxy.refuse()
        else:
            self._proxy.accept()
        if mode == "hanging":
            self._proxy.hold()
        else:
            self._proxy.release()
        self.mode = mode


def message_key(content: bytes) -> str:
    """What stands before the domain in the mail's Message-ID."""
    headers = BytesHeaderParser().parsebytes(content)
    return str(headers["Message-ID"] or "").strip().strip("<>").rpartition("@")[0]


def mail_of(content: bytes) -> Mail:
    """The mail as the server keeps it, read from its headers alone."""
    headers = BytesHeaderParser().parsebytes(content)
    return message_key(content), parseaddr(str(headers["To"]))[1]
