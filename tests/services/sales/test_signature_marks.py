"""What a signature may be, and that the signed document shows what was accepted."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import pytest
from flask import Flask

from models.sales import MAX_DRAWING_BYTES, MAX_TYPED_LENGTH
from tests.support.documents import data_url, png, render
from tests.support.pdf import pages, squeezed
from tests.support.tenants import Api, Tenant, a_signature
from webapp.services.common.exceptions import Invalid
from webapp.services.sales.evidence import Evidence

# What a pen leaves, at its worst: pixels that do not compress.
NOISE = random.Random(1)


def heavy(size: int) -> str:
    """The data URL of a PNG of exactly so many bytes; the pixels do not compress."""
    stride = 1 + 4 * 350
    rows = (size - 3_000) // stride
    image = png(350, rows, b"".join(b"\0" + NOISE.randbytes(stride - 1) for _ in range(rows)))
    filler = b"tEXt" + b"x" * (size - len(image) - 12)
    chunk = struct.pack(">I", len(filler) - 4) + filler + struct.pack(">I", zlib.crc32(filler))
    return data_url(image[:-12] + chunk + image[-12:])


@pytest.mark.parametrize("size", [200_001, 300_000, MAX_DRAWING_BYTES])
def test_every_drawing_that_is_accepted_is_shown_in_the_document(size: int) -> None:
    image = heavy(size)
    Evidence("Ines Carvalho", "ines@firm.example", "drawn", image).check()
    document = render(method="drawn", data=image)
    assert b"/Subtype/Image" in document
    assert "couldnotberead" not in pages(document)[0]


def test_a_drawing_over_the_limit_is_refused_by_name() -> None:
    with pytest.raises(Invalid) as refused:
        Evidence("Ines", None, "drawn", heavy(MAX_DRAWING_BYTES + 1)).check()
    assert list(refused.value.errors) == ["signature.data"]


def test_what_staff_recorded_is_certified_as_recorded_and_not_as_typed() -> None:
    document = render(
        method="recorded", data=None, recorded_by="Ana Staff", signer_email=None,
        consent_text=None, consent_version=None,
    )  # fmt: skip
    proposal, certificate = pages(document)
    for page in (proposal, certificate):
        assert "RecordedbyAnaStaff" in page
        assert "Typedname" not in page
    assert squeezed("Recorded by Ana Staff for Ines Carvalho. No mark of the") in proposal
    assert squeezed("The signature of Ines Carvalho on proposal") in certificate
    assert "InesCarvalhosigned" not in certificate


@pytest.mark.parametrize(
    ("mark", "status"),
    [
        ({"method": "typed", "data": "é" * MAX_TYPED_LENGTH}, 202),
        ({"method": "typed", "data": "R" * (MAX_TYPED_LENGTH + 1)}, 422),
        ({"method": "typed", "data": "R" * 460_000}, 422),
        ({"method": "drawn", "data": heavy(MAX_DRAWING_BYTES)}, 202),
        ({"method": "drawn", "data": heavy(MAX_DRAWING_BYTES + 1)}, 422),
    ],
    ids=["a long name", "a longer one", "a book", "the largest drawing", "a larger one"],
)
def test_a_signature_is_a_name_or_a_drawing_of_bounded_size(
    api: Api, anybody: Api, tenant: Tenant, mark: dict[str, Any], status: int
) -> None:
    proposal = api.send_proposal()
    answer = anybody.post(
        f"/api/public/proposals/{proposal['token']}/sign",
        a_signature(proposal["content_sha256"], signature=mark),
        Prefer="respond-async",
    )
    assert answer.status == status, answer.text[:500]
    if status == 422:
        assert list(answer.json["errors"]) == ["signature.data"]
    assert tenant.count("signatures") == (status == 202)


def test_the_page_takes_the_largest_drawing_into_the_document(
    app: Flask, api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.pages.signing.DEFAULT_SECONDS", 0.05)
    proposal = api.send_proposal()
    form = {
        "signer_name": "Robin Ray",
        "signer_email": "robin@example.com",
        "method": "drawn",
        "drawn": heavy(MAX_DRAWING_BYTES),
        "consent": "yes",
        "content_sha256": proposal["content_sha256"],
    }
    client = app.test_client()
    answer = client.post(f"/sign/{proposal['token']}", data=form)
    assert answer.status_code == 303
    tenant.run_jobs()
    document = client.get(f"/sign/{proposal['token']}/signed.pdf").data
    assert b"/Subtype/Image" in document


def test_the_clients_page_says_that_staff_recorded_the_signature(
    app: Flask, api: Api, tenant: Tenant
) -> None:
    proposal = api.send_proposal()
    api.made(f"/api/proposals/{proposal['id']}/sign", Prefer="respond-async")
    tenant.run_jobs()
    page = app.test_client().get(f"/sign/{proposal['token']}").text
    assert ", as recorded by Tests." in page
