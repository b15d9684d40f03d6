"""Sending a webhook: to a checked address only, in bounded time, whatever the receiver does.

The receiver's address is somebody's input. So its name is looked up once, every address that it
stands for must be a public one, and the connection goes to those addresses and no others: a name
that stands for another a moment later changes nothing. Redirects are not followed, and no proxy of
the environment is used (security.md, *Webhooks*).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOKUP_SECONDS = 5.0
STEP_SECONDS = 5.0  # to connect, and between any two bytes of the answer
DELIVERY_SECONDS = 10.0  # for all of it, whatever comes in between
MOST_READ = 64 * 1024
EXCERPT = 1024  # letters of the answer that are kept
GONE = 410

_LOOPBACK_NAMES = ("127.0.0.1", "localhost")
# Addresses that stand for an IPv4 one, which might be anything.
_TRANSLATED = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")]

Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a try: the receiver's status and the beginning of its answer, or an error."""

    milliseconds: int
    status: int | None = None
    excerpt: str | None = None
    error: str | None = None

    @property
    def is_success(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Refused(Exception):
    """The address is none that webhooks are sent to."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as its name is now. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_loopback: bool = False,
    resolver: Resolver = resolve,
    seconds: float = DELIVERY_SECONDS,
) -> Reply:
    """POST the body to the address, once; whatever goes wrong is in the reply.

    `allow_loopback` lets http://127.0.0.1 and http://localhost be sent to, for development.
    """
    began = time.monotonic()
    deadline = _Deadline(seconds)
    try:
        with deadline:
            status, excerpt = _exchange(url, body, headers, allow_loopback, resolver, deadline)
        error = "Redirects are not followed." if 300 <= status < 400 else None
        return Reply(_since(began), status, excerpt, error)
    except Refused as refused:
        return Reply(_since(began), error=str(refused))
    except (OSError, http.client.HTTPException, ValueError) as failed:
        late = f"No whole answer within {seconds:g} seconds."
        told = late if deadline.is_over else _describe(failed)
        return Reply(_since(began), error=told)


def refuse_address(address: str, *, loopback: bool) -> None:
    """Raises Refused unless webhooks may be sent to the IP address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if loopback and ip.is_loopback:
        return
    translated = any(ip in network for network in _TRANSLATED if network.version == ip.version)
    if translated or ip.is_multicast or not ip.is_global:
        raise Refused("The name stands for an address that is not a public one.")


def refuse_url(url: str, *, allow_loopback: bool) -> None:
    """Raises Refused for an address that can't be one of a receiver, before any look-up."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("This is no address of a receiver.") from error
    host = parts.hostname or ""
    if not host or parts.username is not None or parts.password is not None or port == 0:
        raise Refused("Name a host, without a user or a password.")
    if allow_loopback and parts.scheme == "http" and host in _LOOPBACK_NAMES:
        return
    if parts.scheme != "https":
        raise Refused("The address must begin with https://.")
    with suppress(ValueError):
        ip = ipaddress.ip_address(host)
        refuse_address(str(ip), loopback=False)


def _exchange(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allow_loopback: bool,
    resolver: Resolver,
    deadline: _Deadline,
) -> tuple[int, str]:
    """The status and the beginning of the answer. Raises Refused, OSError, HTTPException."""
    refuse_url(url, allow_loopback=allow_loopback)
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    addresses = _looked_up(resolver, host, port)
    for address in addresses:  # all of them, so that none is reached by luck
        refuse_address(address, loopback=not is_secure)
    connection = _Checked(host, port, addresses, is_secure, deadline)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        read = b""
        # The status says whether it was taken; what else comes is for people to read.
        with suppress(OSError, http.client.HTTPException):
            read = answer.read(MOST_READ)
        return answer.status, _excerpt(read)
    finally:
        connection.close()


def _looked_up(resolver: Resolver, host: str, port: int) -> list[str]:
    """What the resolver says, in bounded time: it cannot be interrupted itself."""
    found: list[str] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.extend(resolver(host, port))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError("not a host's name"))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(LOOKUP_SECONDS)
    if not found or looking.is_alive():
        raise Refused("The name of the host is not known.") from (failed[0] if failed else None)
    return list(found)


class _Checked(http.client.HTTPConnection):
    """A connection to the addresses that were checked; the host's name is for TLS and `Host`."""

    def __init__(
        self, host: str, port: int, addresses: list[str], is_secure: bool, deadline: _Deadline
    ) -> None:
        super().__init__(host, port, timeout=STEP_SECONDS)
        self._addresses = addresses
        self._is_secure = is_secure
        self._deadline = deadline
        if is_secure:
            self.default_port = 443

    def connect(self) -> None:
        last: OSError | None = None
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, self.port), STEP_SECONDS)
            except OSError as error:
                last = error
                continue
            self._deadline.cuts(plain)
            if not self._is_secure:
                self.sock = plain
                return
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self.host)
            return
        raise last or OSError("no address")


class _Deadline:
    """The end of a delivery's time: the connection under way is cut then."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    def __enter__(self) -> None:
        self._timer = threading.Timer(self._seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._handle is not None:
                self._handle.close()

    def cuts(self, connection: socket.socket) -> None:
        """From now on it is this connection; raises TimeoutError when the time is over."""
        with self._lock:
            if self.is_over:
                connection.close()
                raise TimeoutError
            # A handle of its own: TLS takes the other one away.
            self._handle = connection.dup()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)


def _excerpt(answer: bytes) -> str:
    text = answer[: 4 * EXCERPT].decode("utf-8", "replace").replace("\0", "")
    return text[:EXCERPT]


def _describe(error: Exception) -> str:
    """What went wrong, without anything that the receiver could have put into it."""
    if isinstance(error, TimeoutError):
        return f"No answer for {STEP_SECONDS:g} seconds."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not valid: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "No TLS connection could be made."
    if isinstance(error, OSError):
        return f"The connection failed: {type(error).__name__}."
    return f"The answer is not HTTP: {type(error).__name__}."


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
