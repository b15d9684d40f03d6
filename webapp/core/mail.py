"""Mail going out: written from templates, handed to the SMTP server, or put into a folder.

Handing over is an effect outside the database: it happens at least once, and the Message-ID,
made from the job's subject, is the receiver's dedupe key (jobs.md, *The one mechanism*).
"""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import current_app, g, render_template

from webapp.services.common.exceptions import DomainError

TIMEOUT_SECONDS = 5  # each step of the SMTP conversation


class PlainTextRefused(DomainError):
    """The mail server offers no STARTTLS, so the password in SMTP_URL was not sent to it."""


def compose(
    template: str, key: object, *, to: tuple[str, str], subject: str, **facts: Any
) -> EmailMessage:
    """The mail `mail/<template>` to `to` (name, address), as text and HTML.

    `key` makes the Message-ID, so that a mail sent twice can be told from two mails.
    """
    settings = current_app.config["SETTINGS"]
    g.timezone = facts.get("timezone")
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.mail_from
    name, address = to
    message["To"] = formataddr((_one_line(name), _one_line(address)))
    message["Subject"] = _one_line(subject)[:200]
    message["Date"] = formatdate(usegmt=True)
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{template}.{key}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(render_template(f"mail/{template}.txt", **facts))
    message.add_alternative(render_template(f"mail/{template}.html", **facts), subtype="html")
    return message


def deliver(message: EmailMessage) -> None:
    """Hand the mail to SMTP_URL's server, or write it into `var/mail/` where none is set.

    Raises smtplib.SMTPException, OSError or PlainTextRefused when it was not taken; the job tries
    again.
    """
    settings = current_app.config["SETTINGS"]
    if settings.smtp_url is None:
        _write(message, settings.var_dir / "mail")
    else:
        _hand_over(message, settings.smtp_url)


def _write(message: EmailMessage, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = message["Message-ID"].strip("<>").replace("@", "_at_").replace("/", "_")
    draft = folder / f".{name}.part"
    draft.write_bytes(message.as_bytes())
    draft.rename(folder / f"{name}.eml")


def _hand_over(message: EmailMessage, url: str) -> None:
    """smtps:// is TLS from the start; smtp:// uses STARTTLS where the server offers it.

    With a user in the address it must: else whoever stands between could take the offer out of
    the server's answer and read the password. Raises PlainTextRefused.
    """
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_SECONDS)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif parts.scheme == "smtp" and parts.username and not _is_this_machine(host):
            raise PlainTextRefused()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_line(text: str) -> str:
    return " ".join(text.split())
