"""Forms with files, as a browser sends them."""

from __future__ import annotations

import secrets
from typing import Any

from tests.support.tenants import Answer, Api

PDF = b"%PDF-1.7\nA plan.\n%%EOF\n"


def form(
    content: bytes | None, name: str = "plan.pdf", **fields: str
) -> tuple[bytes, dict[str, str]]:
    """The body of a form with a file, and the header that says so."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    if content is not None:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        parts.append(head.encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content_Type": f"multipart/form-data; boundary={boundary}"}


def send_file(
    api: Api,
    path: str = "/api/files",
    content: bytes | None = PDF,
    name: str = "plan.pdf",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Answer:
    """POST a form with a file."""
    body, given = form(content, name, **fields)
    return api.call("POST", path, body, **given, **(headers or {}))


def uploaded(api: Api, content: bytes = PDF, name: str = "plan.pdf", **fields: str) -> Any:
    """A file that was taken: its JSON."""
    answer = send_file(api, content=content, name=name, **fields)
    assert answer.status == 201, answer.text
    return answer.json
