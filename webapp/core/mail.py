"""Mail going out: written from templates, handed to the SMTP server, or put into a folder.

Handing over is an effect outside the database: it happens at least once, and the Message-ID,
made from the job's subject, is the receiver's dedupe key (jobs.md, *The one mechanism*).
"""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any

from flask import current_app, g, render_template

from webapp.core.outages import Undeliverable
from webapp.core.smtp import MailServer

# Its connection is kept for the next mail.
MAIL_SERVER = MailServer()


def compose(
    template: str, key: object, *, to: tuple[str, str], subject: str, **facts: Any
) -> EmailMessage:
    """The mail `mail/<template>` to `to` (name, address), as text and HTML.

    `key` makes the Message-ID, so that a mail sent twice can be told from two mails. Raises
    Undeliverable when `to` is no address.
    """
    settings = current_app.config["SETTINGS"]
    g.timezone = facts.get("timezone")
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.mail_from
    message["To"] = _recipient(*to)
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

    Raises Outage when it was not taken for now, and Undeliverable when it never will be.
    """
    settings = current_app.config["SETTINGS"]
    if settings.smtp_url is None:
        _write(message, settings.var_dir / "mail")
    else:
        recipient = message["To"].addresses[0].addr_spec
        MAIL_SERVER.hand_over(message, recipient, settings.smtp_url)


def _write(message: EmailMessage, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = message["Message-ID"].strip("<>").replace("@", "_at_").replace("/", "_")
    draft = folder / f".{name}.part"
    draft.write_bytes(message.as_bytes())
    draft.rename(folder / f"{name}.eml")


def _recipient(name: str, address: str) -> Address:
    """The one the mail goes to; a domain in other letters as DNS writes it.

    Raises Undeliverable for what is no address.
    """
    local, _, domain = _one_line(address).rpartition("@")
    try:
        domain = domain.encode("idna").decode()
        if local.isascii():
            return Address(_one_line(name), addr_spec=f"{local}@{domain}")
        return Address(_one_line(name), username=local, domain=domain)
    except (ValueError, IndexError, MessageError) as error:
        raise Undeliverable("This is no address that mail can be sent to.") from error


def _one_line(text: str) -> str:
    return " ".join(text.split())
