"""The mails that an application without a mail server has written."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.support.tenants import Tenant


def mails(tenant: Tenant, about: str) -> list[EmailMessage]:
    """The mails whose Message-ID holds this, after all jobs have run; the oldest first."""
    tenant.run_jobs()
    folder: Path = tenant.app.config["SETTINGS"].var_dir / "mail"
    files = sorted(folder.glob(f"*{about}*.eml"), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=default) for file in files]


def token_in(mail: EmailMessage, page: str) -> str:
    """The token of the link to `page`."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(rf"/{page}/([\w-]{{43}})\s", body.get_content())
    assert found is not None, body.get_content()
    return found[1]
