"""The harness's mail server is up, slow, dead and hanging, as the product meets it."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.chaos import smtp
from tests.chaos.smtp import SmtpServer
from tests.support.tenants import eventually

pytestmark = pytest.mark.drill


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmtpServer]:
    made = SmtpServer(tmp_path / "mails.jsonl")
    yield made
    made.close()


def send(server: SmtpServer, key: str = "signing_link.1", timeout: float = 5.0) -> None:
    message = EmailMessage()
    message["Message-ID"], message["To"] = f"<{key}@localhost>", "robin@example.com"
    message["From"], message["Subject"] = "us@example.com", "Hello"
    message.set_content("Sign here.")
    address = urlsplit(server.url)
    assert address.hostname and address.port
    with smtplib.SMTP(address.hostname, address.port, timeout=timeout) as client:
        client.send_message(message)


def test_a_mail_is_kept_by_its_message_id_and_its_recipient(
    server: SmtpServer, tmp_path: Path
) -> None:
    begin = time.time()
    send(server)
    send(server)
    assert server.received == {("signing_link.1", "robin@example.com"): 2}
    assert server.connections == 2
    assert begin <= (server.received_at("robin@example.com") or 0) <= time.time()
    assert server.received_at("nobody@example.com") is None
    assert len((tmp_path / "mails.jsonl").read_text().splitlines()) == 2


def test_a_slow_server_takes_its_time_for_each_mail(
    server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "SLOW_SECONDS", 0.5)
    server.put("slow")
    begin = time.monotonic()
    send(server)
    assert time.monotonic() - begin >= 0.5
    assert server.received.total() == 1


def test_a_dead_server_refuses_connections(server: SmtpServer) -> None:
    server.put("dead")
    with pytest.raises(ConnectionRefusedError):
        send(server)
    server.put("up")
    send(server)
    assert server.received.total() == 1


def test_a_hanging_server_takes_connections_and_says_nothing(server: SmtpServer) -> None:
    server.put("hanging")
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(server, timeout=0.3)
    assert server.connections == 1
    assert server.received.total() == 0
    server.put("up")
    send(server)
    assert server.received.total() == 1


def test_a_state_ends_by_itself(server: SmtpServer) -> None:
    server.put("dead", 0.3)
    with pytest.raises(ConnectionRefusedError):
        send(server)
    eventually(lambda: server.mode == "up", 5.0)
    send(server)
    assert server.received.total() == 1
