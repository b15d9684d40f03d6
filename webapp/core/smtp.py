"""Conversations with the mail server: kept for the next mail, and ended when they take too long.

What the server's answers mean is decided here as well: a refused recipient ends a mail for good,
everything else is an outage (jobs.md, *Patience*).
"""

from __future__ import annotations

import ipaddress
import os
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from webapp.core.outages import Outage, Undeliverable

STEP_SECONDS = 5.0  # each step of the conversation
DELIVERY_SECONDS = 20.0  # all of them together, whatever the server lets come in between
IDLE_SECONDS = 30.0
MAILS_PER_CONVERSATION = 100

_READY = 220
_CLOSING = 421  # the server's word that it ends the conversation
# Answers about whoever sends (RFC 4954, RFC 7504) or about what was said before, no recipient.
_ABOUT_US = frozenset({500, 502, 503, 504, 521, 530, 534, 535, 538})
# Enhanced codes (RFC 3463) for the sender's address, the mail system, security and policy.
_STATUS = re.compile(r"\b5\.(\d{1,3})\.(\d{1,3})\b")
_ABOUT_US_STATUS = re.compile(r"1\.[78]|3\.\d+|7\.\d+")
_ABOUT_US_WORDS = re.compile(r"relay|authenticat|block|black ?list|policy|spam|reputation", re.I)
_LONGEST_ANSWER = 300


class PlainTextRefused(Outage):
    """The mail server offers no STARTTLS, so the password in SMTP_URL was not sent to it."""


class Conversation(smtplib.SMTP):
    """One connection to the server at `url`, logged in and ready for a mail.

    `cut` ends it from another thread, at whatever step it is.
    """

    def __init__(self, url: str) -> None:
        super().__init__(timeout=STEP_SECONDS)
        self.url = url
        self.mails = 0
        self.left_at = 0.0
        self._parts = urlsplit(url)
        self._context = ssl.create_default_context()
        self._same: socket.socket | None = None

    def begin(self) -> None:
        """Connect, encrypt and log in. smtps:// is TLS from the start; smtp:// uses STARTTLS where
        the server offers it.

        With a user in the address it must: else whoever stands between could take the offer out of
        the server's answer and read the password. Raises PlainTextRefused, SMTPException, OSError.
        """
        parts = self._parts
        host, is_secure = parts.hostname or "localhost", parts.scheme == "smtps"
        self._host = host  # what the server's certificate must be for
        code, answer = self.connect(host, parts.port or (465 if is_secure else 25))
        if code != _READY:
            raise smtplib.SMTPConnectError(code, answer)
        self.ehlo()
        if not is_secure and self.has_extn("starttls"):
            self.starttls(context=self._context)
            self.ehlo()
        elif not is_secure and parts.username and not _is_this_machine(host):
            raise PlainTextRefused()
        if parts.username:
            self.login(unquote(parts.username), unquote(parts.password or ""))

    def cut(self) -> None:
        """Shut the connection down, also while it is being encrypted."""
        if self._same is not None:
            with suppress(OSError):
                self._same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self._same is not None:
            self._same.close()

    def leave(self) -> None:
        """Say goodbye, without waiting for an answer, and close."""
        with suppress(smtplib.SMTPException, OSError):
            self.putcmd("quit")
        self.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Called by `connect`; its second handle is not taken away when TLS takes the first."""
        plain = socket.create_connection((host, port), timeout)
        self._same = plain.dup()
        if self._parts.scheme == "smtps":
            return self._context.wrap_socket(plain, server_hostname=host)
        return plain


class MailServer:
    """Hands mails over; a connection is kept for the next mail, by whichever thread it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Conversation] = []
        self._pid = os.getpid()
        self._clean_up: threading.Timer | None = None

    def hand_over(self, message: EmailMessage, recipient: str, url: str) -> None:
        """Give the mail to the server at `url` within `DELIVERY_SECONDS`.

        A kept connection that turns out to be dead is replaced once. Raises Undeliverable when the
        server refuses the recipient for good, Outage when it does not take the mail for now.
        """
        deadline = _Deadline(DELIVERY_SECONDS)
        try:
            with deadline:
                kept = self._take(url)
                if kept is None or not self._tried(kept, message, recipient, deadline):
                    self._send(Conversation(url), message, recipient, deadline)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(*error.recipients[recipient], recipient) from error
        except smtplib.SMTPDataError as error:
            raise _refused(error.smtp_code, error.smtp_error, recipient) from error
        except smtplib.SMTPResponseException as error:
            told = f"SMTP: {error.smtp_code} {_one_line(error.smtp_error, recipient)}"
            raise Outage(f"{told} This is about us, not about the recipient.") from error
        except (smtplib.SMTPException, OSError) as error:
            if deadline.is_over:
                late = f"SMTP: not done within {DELIVERY_SECONDS:g} seconds."
                raise Outage(late) from error
            raise Outage(f"SMTP: {type(error).__name__}, the server cannot be reached.") from error

    def close(self) -> None:
        """End the connections that are kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for conversation in kept:
            conversation.leave()

    def _tried(
        self, kept: Conversation, message: EmailMessage, recipient: str, deadline: _Deadline
    ) -> bool:
        """Whether the mail could be sent by a kept connection; False when that was dead."""
        try:
            self._send(kept, message, recipient, deadline)
        except (smtplib.SMTPException, OSError) as error:
            if deadline.is_over or not _is_end(error):
                raise
            return False
        return True

    def _send(
        self, conversation: Conversation, message: EmailMessage, recipient: str, deadline: _Deadline
    ) -> None:
        try:
            with deadline.cuts(conversation):
                if not conversation.mails:
                    conversation.begin()
                conversation.mails += 1
                if not recipient.isascii() and not conversation.has_extn("smtputf8"):
                    raise Undeliverable("The mail server takes no address with such letters.")
                conversation.send_message(message, to_addrs=[recipient])
        except (smtplib.SMTPRecipientsRefused, Undeliverable):
            self._keep(conversation)  # it was reset, and is good for the next mail
            raise
        except BaseException:
            conversation.close()  # interrupted, perhaps: nobody knows what it would answer next
            raise
        self._keep(conversation)

    def _take(self, url: str) -> Conversation | None:
        """A kept connection to the server at `url`, if there is one; the others are ended."""
        if self._pid != os.getpid():  # what the parent of this process talks about is its own
            self._kept, self._pid, self._lock = [], os.getpid(), threading.Lock()
        with self._lock:
            kept = self._kept.pop() if self._kept else None
        if kept is None:
            return None
        if kept.url != url or time.monotonic() - kept.left_at > IDLE_SECONDS:
            kept.leave()
            return self._take(url)
        return kept

    def _keep(self, conversation: Conversation) -> None:
        if conversation.sock is None or conversation.mails >= MAILS_PER_CONVERSATION:
            conversation.leave()
            return
        conversation.left_at = time.monotonic()
        with self._lock:
            self._kept.append(conversation)
            if self._clean_up is None or not self._clean_up.is_alive():
                self._clean_up = _timer(IDLE_SECONDS + 1, self._end_idle)

    def _end_idle(self) -> None:
        """End the connections that nobody has used for a while; look again for the others."""
        now = time.monotonic()
        with self._lock:
            idle = [kept for kept in self._kept if now - kept.left_at > IDLE_SECONDS]
            self._kept = [kept for kept in self._kept if kept not in idle]
            self._clean_up = _timer(IDLE_SECONDS + 1, self._end_idle) if self._kept else None
        for conversation in idle:
            conversation.leave()


class _Deadline:
    """The end of a delivery's time: whichever conversation is under way is cut then."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._lock = threading.Lock()
        self._conversation: Conversation | None = None

    def __enter__(self) -> None:
        self._timer = _timer(self._seconds, self._end)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @contextmanager
    def cuts(self, conversation: Conversation) -> Iterator[None]:
        """Cut the conversation if the time is over before the block ends."""
        with self._lock:
            self._conversation = conversation
        try:
            if self.is_over:
                raise TimeoutError
            yield
        finally:
            with self._lock:
                self._conversation = None

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._conversation is not None:
                self._conversation.cut()


def _timer(seconds: float, work: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
    return timer


def _is_end(error: Exception) -> bool:
    """Whether the error says that the connection is gone, and nothing about the mail."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return any(code == _CLOSING for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code == _CLOSING
    return isinstance(error, (smtplib.SMTPServerDisconnected, OSError))


def _refused(code: int, answer: bytes | str, recipient: str) -> Outage | Undeliverable:
    """What it means that the server did not take the mail for the recipient.

    4xx is for now. So is what a 5xx says about us: relaying denied, log in first, a policy; that is
    mended here, and all mail waits for it.
    """
    words = _one_line(answer, recipient)
    if code < 500:
        return Outage(f"SMTP: {code} {words}")
    status = _STATUS.search(words)
    about_us = code in _ABOUT_US or (
        _ABOUT_US_STATUS.fullmatch(f"{status[1]}.{status[2]}")
        if status
        else _ABOUT_US_WORDS.search(words)
    )
    if about_us:
        return Outage(f"SMTP: {code} {words} This is about us, not about the recipient.")
    return Undeliverable(f"The mail server refused the address: {code} {words}")


def _one_line(answer: bytes | str, recipient: str) -> str:
    """The server's words without the address, which is nobody's business in a log."""
    words = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    words = re.sub(re.escape(recipient), "the address", words, flags=re.I)
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(printable.split())[:_LONGEST_ANSWER]


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
