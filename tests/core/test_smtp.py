"""One connection for many mails, one time limit for each, and what the server's answers mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage

import pytest
from flask import Flask

from tests.support.smtp import MailHost, mail_host
from webapp.core import smtp
from webapp.core.mail import MAIL_SERVER, compose, deliver
from webapp.core.outages import Outage, Undeliverable
from webapp.core.smtp import MailServer


@pytest.fixture
def host() -> Iterator[MailHost]:
    with mail_host() as running:
        yield running


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def a_mail(subject: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Firm <firm@example.com>"
    message["To"] = "robin@example.com"
    message["Subject"] = subject
    message.set_content("Good day.")
    return message


def send(server: MailServer, host: MailHost, to: str = "robin@example.com") -> None:
    server.hand_over(a_mail(), to, host.url)


def test_twenty_mails_go_over_one_connection(server: MailServer, host: MailHost) -> None:
    for _ in range(20):
        send(server, host)
    assert (len(host.mails), host.connections) == (20, 1)


def test_a_refused_recipient_does_not_end_the_connection(
    server: MailServer, host: MailHost
) -> None:
    host.refused["gone@example.com"] = "550 5.1.1 No such user"
    send(server, host)
    with pytest.raises(Undeliverable):
        send(server, host, "gone@example.com")
    send(server, host)
    assert (host.recipients, host.connections) == (["robin@example.com"] * 2, 1)


def test_threads_at_the_same_time_have_connections_of_their_own(
    server: MailServer, host: MailHost
) -> None:
    host.seconds = 0.1
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(send, server, host) for _ in range(12)]:
            future.result()
    assert len(host.mails) == 12
    assert host.connections <= 4


@pytest.mark.parametrize("last_words", ["", "421 closing"])
def test_a_connection_that_ended_between_two_mails_is_replaced(
    server: MailServer, host: MailHost, last_words: str
) -> None:
    host.hang_up_after, host.last_words = 1, last_words
    for _ in range(3):
        send(server, host)
    assert (len(host.mails), host.connections) == (3, 3)


def test_a_connection_is_kept_for_a_while_only(
    server: MailServer, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "IDLE_SECONDS", 0.2)
    send(server, host)
    time.sleep(0.3)
    send(server, host)
    assert host.connections == 2


def test_a_connection_takes_a_hundred_mails_and_no_more(
    server: MailServer, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "MAILS_PER_CONVERSATION", 3)
    for _ in range(7):
        send(server, host)
    assert (len(host.mails), host.connections) == (7, 3)


def test_a_server_that_accepts_and_hangs_costs_its_time_limit_and_no_more(
    server: MailServer, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.5)
    host.mute = True
    began = time.monotonic()
    with pytest.raises(Outage, match="SMTP"):
        send(server, host)
    assert time.monotonic() - began < 2
    assert host.connections == 1, "one that was not kept is not tried a second time"


def test_a_server_that_drips_is_left_when_the_time_for_the_delivery_is_over(
    server: MailServer, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "DELIVERY_SECONDS", 1.0)
    host.drips = True
    began = time.monotonic()
    with pytest.raises(Outage, match="not done within 1 seconds"):
        send(server, host)
    assert 0.9 < time.monotonic() - began < 3


def test_a_kept_connection_that_drips_is_not_replaced_when_the_time_is_over(
    server: MailServer, host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(server, host)
    monkeypatch.setattr(smtp, "DELIVERY_SECONDS", 0.5)
    host.seconds = 2
    with pytest.raises(Outage, match="not done within"):
        send(server, host)
    assert host.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.1 User unknown",
        "550 No such user here",
        "553 5.1.3 Bad destination mailbox address syntax",
        "556 5.1.10 The domain accepts no mail",
        "552 5.2.2 Mailbox full",
    ],
)
def test_a_recipient_that_is_refused_for_good_is_undeliverable(
    server: MailServer, host: MailHost, answer: str
) -> None:
    host.refused["robin@example.com"] = answer
    with pytest.raises(Undeliverable) as refused:
        send(server, host)
    assert answer in refused.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        "450 4.2.1 Try again later",
        "451 Greylisted",
        "421 Too busy",
        "530 5.7.0 Authentication required",
        "535 Log in first",
        "554 5.7.1 Relay access denied",
        "550 relay not permitted",
        "550 5.7.1 Client host blocked",
        "554 5.1.8 Sender address rejected",
    ],
)
def test_what_is_for_now_or_about_us_is_an_outage(
    server: MailServer, host: MailHost, answer: str
) -> None:
    host.refused["robin@example.com"] = answer
    with pytest.raises(Outage) as away:
        send(server, host)
    assert answer in away.value.detail
    assert ("about us" in away.value.detail) == (answer[0] == "5")


def test_a_mail_that_is_refused_at_its_end_is_undeliverable_or_not_by_the_same_rule(
    server: MailServer, host: MailHost
) -> None:
    host.after_data = "550 5.1.1 No such user after all"
    with pytest.raises(Undeliverable):
        send(server, host)
    host.after_data = "554 5.7.1 Rejected by policy"
    with pytest.raises(Outage, match="about us"):
        send(server, host)
    host.after_data = "452 4.3.1 Disk full"
    with pytest.raises(Outage):
        send(server, host)
    host.after_data = "250 taken"
    send(server, host)
    assert len(host.mails) == 1


@pytest.mark.parametrize("sender", ["550 5.1.8 Who are you?", "452 Not now"])
def test_a_sender_that_is_refused_is_about_us(
    server: MailServer, host: MailHost, sender: str
) -> None:
    host.sender = sender
    with pytest.raises(Outage, match="about us"):
        send(server, host)


def test_a_server_that_greets_with_a_refusal_is_away(server: MailServer, host: MailHost) -> None:
    host.greeting = "554 no mail today"
    with pytest.raises(Outage, match="554 no mail today"):
        send(server, host)


def test_a_server_that_is_not_there_is_away(server: MailServer) -> None:
    with pytest.raises(Outage, match="cannot be reached"):
        server.hand_over(a_mail(), "robin@example.com", "smtp://127.0.0.1:1")


def test_the_reason_does_not_tell_the_address(server: MailServer, host: MailHost) -> None:
    host.refused["robin@example.com"] = "550 <Robin@example.com>: unknown\x07 user"
    with pytest.raises(Undeliverable) as refused:
        send(server, host)
    assert refused.value.detail.endswith("550 <the address>: unknown user")


@pytest.mark.parametrize("address", ["", "no address", "a@b@example.com", "two words@example.com"])
def test_what_is_no_address_is_undeliverable(app: Flask, address: str) -> None:
    with app.app_context(), pytest.raises(Undeliverable, match="no address"):
        compose("signing_link", "key", to=("Robin", address), subject="Hello")


FACTS = {
    "contact": {"first_name": "Robin"},
    "organization": {"name": "Firm"},
    "proposal": {
        "name": "Offer", "number": "P-1", "total": "1.00", "currency": "EUR", "valid_until": None,
        "items": [], "notes": "",
    },
    "signing_url": "http://127.0.0.1/sign/token",
    "timezone": "UTC",
}  # fmt: skip


@pytest.mark.parametrize("extensions", [(), ("SMTPUTF8",)])
def test_letters_beyond_ascii_need_a_server_that_takes_them(
    app: Flask, host: MailHost, monkeypatch: pytest.MonkeyPatch, extensions: tuple[str, ...]
) -> None:
    host.extensions = extensions
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], smtp_url=host.url))
    with app.test_request_context():
        mail = compose(
            "signing_link", "k", to=("Rübe", "rübe@bücher.example"), subject="s", **FACTS
        )
        if extensions:
            deliver(mail)
            assert host.recipients == ["rübe@xn--bcher-kva.example"]
        else:
            with pytest.raises(Undeliverable, match="no address with such letters"):
                deliver(mail)
        deliver(compose("signing_link", "k", to=("Ö", "o@bücher.example"), subject="s", **FACTS))
    assert host.recipients[-1] == "o@xn--bcher-kva.example"
    MAIL_SERVER.close()
