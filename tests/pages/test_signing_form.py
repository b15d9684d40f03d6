"""The signing page's form: what is wrong is said beside its field, and nothing is recorded."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.tenants import Api, Tenant, a_signature


def form_for(proposal: dict[str, Any], **changes: str) -> dict[str, str]:
    return {
        "signer_name": "Robin Ray",
        "signer_email": "robin@example.com",
        "method": "typed",
        "signature": "Robin Ray",
        "consent": "yes",
        "content_sha256": proposal["content_sha256"],
        **changes,
    }


def send(app: Flask, proposal: dict[str, Any], form: dict[str, str], to: str = "") -> TestResponse:
    return app.test_client().post(f"/sign/{proposal['token']}{to}", data=form)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signer_name": "  "}, "Enter your full name."),
        ({"signer_name": "A\0B"}, "NUL characters are not allowed."),
        ({"signer_email": ""}, "Enter your email address."),
        ({"signer_email": "robin"}, "This is not an e-mail address."),
        ({"signature": " "}, "Type your name as your signature."),
        ({"method": "drawn"}, "Draw your signature in the box, or choose to type it."),
        ({"method": "drawn", "drawn": "data:image/png;base64,AAAA"}, "not a readable PNG"),
        ({"consent": ""}, "Tick the box to say that you agree."),
        ({"content_sha256": "abc"}, "The form was not complete."),
    ],
)
def test_a_wrong_field_is_named_and_the_rest_is_kept(
    app: Flask, tenant: Tenant, api: Api, changes: dict[str, str], message: str
) -> None:
    proposal = api.send_proposal()
    answer = send(app, proposal, form_for(proposal, **changes))
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert message in page
    kept = "robin@example.com" if "signer_email" not in changes else "Robin Ray"
    assert f'value="{kept}"' in page
    assert tenant.count("signatures") == 0


def test_another_content_than_the_shown_one_is_not_signed(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    proposal = api.send_proposal()
    answer = send(app, proposal, form_for(proposal, content_sha256="0" * 64))
    assert answer.status_code == 409
    assert "The proposal is not the one you were shown." in answer.text
    assert f'value="{proposal["content_sha256"]}"' in answer.text
    assert 'type="checkbox" value="yes" required>' in answer.text, "consent is asked for anew"
    assert tenant.count("signatures") == 0


def test_what_happened_meanwhile_is_shown_by_the_page(app: Flask, api: Api) -> None:
    signed, declined, revised = (api.send_proposal() for _ in range(3))
    api.made(
        f"/api/public/proposals/{signed['token']}/sign",
        a_signature(signed["content_sha256"]),
        Prefer="respond-async",
    )
    api.made(f"/api/proposals/{declined['id']}/decline", {"reason": "No."})
    api.made(f"/api/proposals/{revised['id']}/revise")
    for proposal, status, title in (
        (signed, 200, "Signed. Thank you."),
        (declined, 200, "You declined this proposal"),
        (revised, 410, "There is a newer version"),
    ):
        for form, to in ((form_for(proposal), ""), ({"reason": "No."}, "/decline")):
            answer = send(app, proposal, form, to)
            assert answer.status_code == 303
            page = app.test_client().get(answer.headers["Location"])
            assert (page.status_code, title in page.text) == (status, True)


def test_a_signature_without_a_worker_is_safe_and_says_so(
    app: Flask, tenant: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.pages.signing.DEFAULT_SECONDS", 0.05)
    proposal = api.send_proposal()
    assert send(app, proposal, form_for(proposal)).status_code == 303
    client = app.test_client()
    path = f"/sign/{proposal['token']}"
    assert "We are setting things up" in client.get(path).text
    assert client.get(f"{path}/signed.pdf").headers["Location"] == path
    tenant.run_jobs("sales.fulfil_signature")
    assert "Phase 1 of 6: Kickoff" in client.get(path).text


def test_declining_needs_a_reason(app: Flask, tenant: Tenant, api: Api) -> None:
    proposal = api.send_proposal()
    answer = send(app, proposal, {"reason": " "}, "/decline")
    assert answer.status_code == 422
    assert "Say in a few words why." in answer.text
    assert api.get(f"/api/proposals/{proposal['id']}").json["status"] == "Sent"


@pytest.mark.parametrize("token", ["short", "a" * 43, "%00" * 43, "ä" * 43])
def test_unknown_links_say_so_whatever_is_asked_of_them(app: Flask, token: str) -> None:
    client = app.test_client()
    for answer in (
        client.get(f"/sign/{token}"),
        client.get(f"/sign/{token}/signed.pdf"),
        client.post(f"/sign/{token}", data={}),
        client.post(f"/sign/{token}/decline", data={"reason": "No."}),
    ):
        assert answer.status_code == 404
        assert "This link does not open a proposal" in answer.text


def test_the_page_tells_of_being_fetched_and_its_script_of_a_person(app: Flask, api: Api) -> None:
    proposal = api.send_proposal()
    client = app.test_client()
    page = f"/sign/{proposal['token']}"
    told = lambda: api.get(f"/api/proposals/{proposal['id']}").json  # noqa: E731
    client.head(page)
    assert told()["opened_at"] is None
    assert f'data-viewed="{page}/viewed"' in client.get(page).text
    first = told()
    assert first["opened_at"] is not None
    assert first["viewed_at"] is None
    assert client.post(f"{page}/viewed").status_code == 204
    seen = told()["viewed_at"]
    assert seen is not None
    assert "data-viewed" not in client.get(page).text, "it has been told"
    client.post(f"{page}/viewed")
    assert (told()["opened_at"], told()["viewed_at"]) == (first["opened_at"], seen)


def test_text_is_shown_as_text(app: Flask, api: Api) -> None:
    proposal = api.send_proposal(name="<script>alert(1)</script>", notes="</p><img src=x>")
    page = app.test_client().get(f"/sign/{proposal['token']}").text
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
