"""Mail over a real SMTP server, at least once, whatever the server does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant
from webapp.core.mail import MAIL_SERVER


class Inbox:
    """Keeps what arrives; answers `reply` instead of taking it when that is set."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.reply: str | None = None

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.reply is not None:
            return self.reply
        self.mails.append(envelope)
        return "250 OK"


# Its certificate is for 127.0.0.1 and for 0.0.0.0, which is this machine too, and not called so.
CERTIFICATE = Path(__file__).parent / "mail_server.pem"
ELSEWHERE = "0.0.0.0"
RunInbox = Callable[..., Inbox]


@pytest.fixture
def run_inbox(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunInbox]:
    """Runs an SMTP server, and lets the application know it as `url_start` and its port."""
    with ExitStack() as stack:

        def run(url_start: str = "smtp://127.0.0.1", **options: Any) -> Inbox:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            handler = Inbox()
            controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
            controller.start()
            stack.callback(controller.stop)
            stack.callback(let_connections_end, controller)
            settings = replace(app.config["SETTINGS"], smtp_url=f"{url_start}:{port}")
            monkeypatch.setitem(app.config, "SETTINGS", settings)
            return handler

        yield run


def let_connections_end(controller: Controller) -> None:
    """The application's kept connection, and then the server's side of it."""
    MAIL_SERVER.close()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), controller.loop).result(5)


@pytest.fixture
def inbox(run_inbox: RunInbox) -> Inbox:
    return run_inbox()


@pytest.fixture
def seen_passwords() -> list[bytes]:
    """The passwords that reached the server."""
    return []


@pytest.fixture
def takes_password(seen_passwords: list[bytes]) -> dict[str, Any]:
    """The options of a server that lets everybody log in, without TLS too."""

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        seen_passwords.append(data.password)
        return AuthResult(success=True)

    return {"authenticator": authenticate, "auth_require_tls": False}


def last_mail_job(tenant: Tenant) -> dict[str, Any]:
    [job] = tenant.rows("SELECT * FROM jobs WHERE organization_id = %(organization_id)s"
                        " AND kind = 'sales.mail_signing_link'")  # fmt: skip
    return job


def try_again_now(tenant: Tenant) -> None:
    tenant.run(lambda: db.session.execute(text("UPDATE jobs SET run_at = now()")))


def test_the_link_arrives_at_the_contact(api: Api, tenant: Tenant, inbox: Inbox) -> None:
    proposal = api.send_proposal()
    tenant.run_jobs()
    [mail] = inbox.mails
    assert mail.rcpt_tos == [proposal["contact"]["email"]]
    content: Any = mail.content
    assert b"Message-ID: <signing_link." in content


def test_a_server_that_refuses_for_now_gets_the_mail_later_and_once(
    api: Api, tenant: Tenant, inbox: Inbox
) -> None:
    inbox.reply = "451 Try again later"
    api.send_proposal()
    tenant.run_jobs()
    job = last_mail_job(tenant)
    assert (job["state"], job["attempts"], job["excused"]) == ("ready", 1, 1)
    assert "SMTP" in job["last_error"]
    inbox.reply = None
    try_again_now(tenant)
    tenant.run_jobs()
    assert len(inbox.mails) == 1
    assert tenant.count("jobs", "state <> 'done'") == 0


def test_a_subject_cannot_smuggle_in_a_header(api: Api, tenant: Tenant, inbox: Inbox) -> None:
    api.send_proposal(name="Offer\r\nBcc: everybody@example.com")
    tenant.run_jobs()
    [mail] = inbox.mails
    assert len(mail.rcpt_tos) == 1
    content: Any = mail.content
    head = content.split(b"\r\n\r\n")[0]
    assert b"\r\nBcc:" not in head


def test_a_password_and_its_mail_are_never_sent_in_plain_text(
    api: Api,
    tenant: Tenant,
    run_inbox: RunInbox,
    takes_password: dict[str, Any],
    seen_passwords: list[bytes],
) -> None:
    inbox = run_inbox(f"smtp://kim:secret@{ELSEWHERE}", **takes_password)
    api.send_proposal()
    tenant.run_jobs()
    assert (inbox.mails, seen_passwords) == ([], [])
    job = last_mail_job(tenant)
    assert job["state"] == "ready"
    assert "offers no STARTTLS" in job["last_error"]
    assert "secret" not in job["last_error"]


def test_a_password_is_sent_under_the_protection_of_starttls(
    api: Api,
    tenant: Tenant,
    run_inbox: RunInbox,
    takes_password: dict[str, Any],
    seen_passwords: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    inbox = run_inbox(
        f"smtp://kim:secret@{ELSEWHERE}",
        **{**takes_password, "auth_require_tls": True, "tls_context": tls},
    )
    api.send_proposal()
    tenant.run_jobs()
    assert last_mail_job(tenant)["last_error"] is None
    assert (len(inbox.mails), seen_passwords) == (1, [b"secret"])


def test_a_server_on_this_machine_gets_the_password_without_tls(
    api: Api,
    tenant: Tenant,
    run_inbox: RunInbox,
    takes_password: dict[str, Any],
    seen_passwords: list[bytes],
) -> None:
    inbox = run_inbox("smtp://kim:secret@127.0.0.1", **takes_password)
    api.send_proposal()
    tenant.run_jobs()
    assert (len(inbox.mails), seen_passwords) == (1, [b"secret"])
