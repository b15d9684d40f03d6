"""Mail over a real SMTP server, at least once, whatever the server does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant


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


@pytest.fixture
def inbox(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings = app.config["SETTINGS"]
    url = f"smtp://127.0.0.1:{port}"
    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, smtp_url=url))
    yield handler
    controller.stop()


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
    [job] = tenant.rows("SELECT * FROM jobs WHERE organization_id = %(organization_id)s"
                        " AND kind = 'sales.mail_signing_link'")  # fmt: skip
    assert (job["state"], job["attempts"]) == ("ready", 1)
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
