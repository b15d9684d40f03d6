"""A mail server that does what a test wants: refuse, be slow, hang, drip, hang up."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast


class MailHost(socketserver.ThreadingTCPServer):
    """Takes mail on `url`, and keeps count of connections and of what came.

    `refused` holds the answer to RCPT for an address, `greeting` and `after_data` what is answered
    there. Each mail takes `seconds`. With `mute` it accepts and says nothing; with `drips` it sends
    a letter now and then and never comes to the end of its line. It hangs up after so many
    mails of one connection (`hang_up_after`): at once, or with `last_words` to the next command.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.connections = 0
        self.mails: list[tuple[str, bytes]] = []
        self.refused: dict[str, str] = {}
        self.sender = "250 OK"
        self.greeting = "220 ready"
        self.after_data = "250 taken"
        self.extensions: tuple[str, ...] = ()
        self.seconds = 0.0
        self.mute = self.drips = False
        self.hang_up_after, self.last_words = 1_000_000, ""
        self.open: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Conversation)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.mails]

    def hang_up(self) -> None:
        """End all connections, as a server does that is started again."""
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        host = self.host
        host.connections += 1
        host.open.append(self.connection)
        with suppress(OSError):
            if host.mute:
                self.rfile.read()
            elif host.drips:
                self.drip()
            else:
                self.talk()

    @property
    def host(self) -> MailHost:
        return cast(MailHost, self.server)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def drip(self) -> None:
        self.wfile.write(b"220-")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def talk(self) -> None:
        host, taken, recipient = self.host, 0, ""
        self.say(host.greeting)
        answers: dict[str, Callable[[str], str]] = {
            "EHLO": lambda _: "\r\n".join(
                [*(f"250-{name}" for name in ("host", *host.extensions)), "250 8BITMIME"]
            ),
            "MAIL": lambda _: host.sender,
            "RSET": lambda _: "250 OK",
            "NOOP": lambda _: "250 OK",
        }
        for raw in self.rfile:
            line = raw.decode().strip()
            verb = line[:4].upper()
            if verb == "QUIT":
                return
            if taken >= host.hang_up_after:
                self.say(host.last_words)
                return
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                self.say(host.refused.get(recipient, "250 OK"))
            elif verb == "DATA":
                self.say("354 go on")
                content = b"".join(iter(self.rfile.readline, b".\r\n"))
                time.sleep(host.seconds)
                if host.after_data.startswith("250"):
                    host.mails.append((recipient, content))
                self.say(host.after_data)
                taken += 1
                if taken >= host.hang_up_after and not host.last_words:
                    return
            else:
                self.say(answers.get(verb, lambda _: "502 what?")(line))


@contextmanager
def mail_host(port: int = 0) -> Iterator[MailHost]:
    """A mail server that runs until the block ends."""
    host = MailHost(port)
    runner = threading.Thread(target=host.serve_forever, args=(0.02,))
    runner.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.hang_up()
        host.server_close()
        runner.join()
