"""Uploads over real HTTP: streamed, cut off in the middle, and killed."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from pathlib import Path

import pytest
import requests

from tests.conftest import Live, OwnStack
from tests.support.forms import form, uploaded
from tests.support.tenants import eventually

pytestmark = pytest.mark.long


def stored(live: Live) -> list[Path]:
    root = Path(live.env["VAR_DIR"]) / "files" / live.tenant.id.hex
    return sorted(path for path in root.rglob("*") if path.is_file())


def half_sent(live: Live, engagement_id: str, content: bytes) -> socket.socket:
    """A connection on which the first half of a form has been sent."""
    body, headers = form(content, engagement_id=engagement_id)
    head = (
        f"POST /api/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {live.api_key}\r\n"
        f"Content-Type: {headers['Content_Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", live.stack.port))
    connection.sendall(head.encode() + body[: len(body) // 2])
    return connection


def test_a_large_file_comes_back_whole_and_in_parts(live: Live) -> None:
    engagement = live.api.made("/api/engagements", {"name": "x"})
    content = b"%PDF-1.7" + os.urandom(8 * 1024 * 1024)
    made = uploaded(live.api, content, engagement_id=engagement["id"])
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    url = f"{live.base_url}/api/files/{made['id']}/content"
    key = {"Authorization": f"Bearer {live.api_key}"}
    assert requests.get(url, headers=key, timeout=20).content == content
    part = requests.get(url, headers={**key, "Range": "bytes=1000000-1999999"}, timeout=20)
    assert (part.status_code, part.content) == (206, content[1_000_000:2_000_000])
    head = requests.head(url, headers=key, timeout=20)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(content))


def test_an_upload_that_is_cut_off_leaves_nothing(live: Live) -> None:
    engagement = live.api.made("/api/engagements", {"name": "x"})
    before = stored(live)
    connection = half_sent(live, engagement["id"], b"%PDF-1.7" + b"x" * 4_000_000)
    eventually(lambda: len(stored(live)) == len(before) + 1 or None, seconds=10)
    connection.close()
    eventually(lambda: stored(live) == before or None, seconds=10)
    assert live.tenant.count("file_objects") == 0


def test_a_process_killed_in_an_upload_leaves_no_row_and_what_was_acknowledged_is_there(
    own_stack: OwnStack,
) -> None:
    own_stack.stack.start()
    live = own_stack.live()
    engagement = live.api.made("/api/engagements", {"name": "x"})
    kept = uploaded(live.api, engagement_id=engagement["id"])
    connection = half_sent(live, engagement["id"], b"%PDF-1.7" + b"x" * 4_000_000)
    eventually(lambda: len(stored(live)) == 2 or None, seconds=10)
    live.stack.kill("web", signal.SIGKILL)
    connection.close()
    live.stack.start("web")
    assert live.tenant.count("file_objects") == 1
    again = live.api.get(f"/api/files/{kept['id']}/content")
    assert hashlib.sha256(again.content).hexdigest() == kept["sha256"]
    body = {"engagement_id": engagement["id"]}
    assert uploaded(live.api, b"%PDF-1.7" + b"x" * 1000, **body)["version"] == 1
