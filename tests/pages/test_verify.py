"""Verifying documents: only what was signed is on record, whoever asks."""

from __future__ import annotations

import hashlib

import pytest
import requests
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.tenants import Api, Tenant


def upload(app: Flask, content: bytes, name: str = "signed.pdf") -> TestResponse:
    """Send the form as a browser does."""
    files = {"document": (name, content)}
    sent = requests.Request("POST", "http://localhost/verify", files=files).prepare()
    return app.test_client().post(
        "/verify", data=sent.body, content_type=sent.headers["Content-Type"]
    )


@pytest.fixture
def document(tenant: Tenant, api: Api) -> bytes:
    """A signed PDF."""
    proposal = api.send_proposal()
    api.sign(proposal)
    tenant.run_jobs()
    return api.get(f"/api/proposals/{proposal['id']}/signed.pdf").content


def test_the_pdf_and_the_signed_text_are_on_record(
    app: Flask, tenant: Tenant, document: bytes
) -> None:
    client = app.test_client()
    answer = upload(app, document)
    assert "Genuine and unchanged" in answer.text
    assert "Robin Ray" in answer.text
    [signature] = tenant.rows(
        "SELECT content_sha256 FROM signatures WHERE organization_id = %(organization_id)s"
    )
    typed = " ".join([signature["content_sha256"][:32].upper(), signature["content_sha256"][32:]])
    assert "On record" in client.post("/verify", data={"sha256": typed}).text


def test_the_api_tells_the_same(anybody: Api, document: bytes) -> None:
    sha256 = hashlib.sha256(document).hexdigest()
    answer = anybody.get(f"/api/public/verify/{sha256}")
    assert answer.status == 200
    assert answer.json["kind"] == "signed document"
    assert answer.json["organization"] == "Test firm"
    assert set(answer.json) == {
        "sha256", "kind", "organization", "proposal_number", "proposal_name", "version",
        "signer_name", "signed_at",
    }  # fmt: skip
    for unknown in ("0" * 64, "xyz", sha256[:-1]):
        assert anybody.get(f"/api/public/verify/{unknown}").status == 404


def test_what_was_sent_but_not_signed_is_not_on_record(anybody: Api, api: Api) -> None:
    proposal = api.send_proposal()
    assert anybody.get(f"/api/public/verify/{proposal['content_sha256']}").status == 404


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        ({}, 422, "Choose the signed PDF."),
        ({"sha256": "12"}, 422, "A SHA-256 has 64 characters"),
        ({"sha256": "0" * 64}, 200, "Not on record"),
    ],
)
def test_a_wrong_fingerprint_is_answered_clearly(
    app: Flask, form: dict[str, str], status: int, message: str
) -> None:
    answer = app.test_client().post("/verify", data=form)
    assert (answer.status_code, message in answer.text) == (status, True)


@pytest.mark.parametrize(
    ("size", "name", "status", "message"),
    [
        (0, "", 422, "Choose the signed PDF."),
        (4 * 2**20, "other.pdf", 200, "Not on record"),
        (6 * 2**20, "other.pdf", 413, "larger than 5 MB"),
    ],
)
def test_a_wrong_file_is_answered_clearly(
    app: Flask, size: int, name: str, status: int, message: str
) -> None:
    answer = upload(app, b"x" * size, name)
    assert (answer.status_code, message in answer.text) == (status, True)
