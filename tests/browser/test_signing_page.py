"""The signing page as clients meet it: with and without scripts, on desktops and phones."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.checks import SCREENSHOTS, check_page, check_width, heading
from tests.browser.conftest import PHONE, NewPage
from tests.conftest import Live
from tests.support.tenants import eventually

pytestmark = pytest.mark.long


def sign_typed(page: Page) -> None:
    page.get_by_label("Your full name").fill("Robin Ray")
    page.get_by_label("Signature", exact=True).fill("Robin Ray")
    page.locator("#consent").check()
    page.get_by_role("button", name="Sign proposal").click()


def test_signing_works_without_scripts_and_leads_to_the_pdf(
    live: Live, new_page: NewPage, tmp_path: Path
) -> None:
    proposal = live.send_proposal(notes="Half on signature, half at launch.")
    page = new_page(java_script_enabled=False)
    page.goto(proposal["signing_url"])
    assert heading(page) == "Website relaunch"
    expect(page.get_by_text("€10,700.99").first).to_be_visible()
    assert page.locator("[data-methods]").is_hidden(), "drawing needs a script"
    sign_typed(page)
    assert page.url == proposal["signing_url"]
    assert heading(page) == "Signed. Thank you."

    def ready() -> bool:
        page.reload()
        return page.get_by_role("link", name="Download the signed PDF").is_visible()

    eventually(ready)
    for name in ("Discovery", "Website build", "Care plan"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the signed PDF").click()
    saved = tmp_path / "signed.pdf"
    download.value.save_as(saved)
    assert saved.read_bytes().startswith(b"%PDF-")
    assert download.value.suggested_filename == f"{proposal['number']}-signed.pdf"

    stored = live.api.get(f"/api/proposals/{proposal['id']}").json
    assert stored["status"] == "Signed"
    assert stored["viewed_at"] is not None
    check_verification(new_page(), live, saved, tmp_path)


def check_verification(page: Page, live: Live, document: Path, folder: Path) -> None:
    """The verify page knows the PDF, and does not know it with one byte changed."""
    page.goto(f"{live.base_url}/verify")
    check_page(page, "verify")
    page.get_by_label("Signed PDF").set_input_files(document)
    page.get_by_role("button", name="Verify the document").click()
    assert heading(page) == "Genuine and unchanged"
    expect(page.get_by_text("Robin Ray")).to_be_visible()
    check_page(page, "verify-genuine")
    content = bytearray(document.read_bytes())
    content[-20] ^= 1
    changed = folder / "changed.pdf"
    changed.write_bytes(content)
    page.get_by_label("Signed PDF").set_input_files(changed)
    page.get_by_role("button", name="Verify the document").click()
    assert heading(page) == "Not on record"
    check_page(page, "verify-changed")


def test_a_drawn_signature_with_scripts(live: Live, page: Page) -> None:
    proposal = live.send_proposal()
    page.goto(proposal["signing_url"])
    check_page(page, "signing")
    page.get_by_role("radio", name="Draw it").check()
    page.locator("#consent").check()
    page.get_by_role("button", name="Sign proposal").click()
    expect(page.get_by_text("Draw your signature in the box")).to_be_visible()
    draw(page)
    page.screenshot(path=SCREENSHOTS / "signing-drawn.png", full_page=True)
    page.get_by_role("button", name="Sign proposal").click()
    expect(page.get_by_role("heading", name="Signed. Thank you.")).to_be_visible(timeout=10_000)
    # The page follows what is made without being loaded again.
    link = page.get_by_role("link", name="Download the signed PDF")
    expect(link).to_be_visible(timeout=15_000)
    check_page(page, "signed")
    [signature] = live.tenant.rows(
        "SELECT method, data FROM signatures WHERE organization_id = %(organization_id)s"
    )
    assert signature["method"] == "drawn"
    assert len(signature["data"]) > 1000


def draw(page: Page) -> None:
    canvas = page.locator("[data-canvas]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    left, middle = box["x"] + 60, box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    for step in range(1, 30):
        page.mouse.move(left + 8 * step, middle + (40 if step % 4 < 2 else -40), steps=2)
    page.mouse.up()


def test_what_was_entered_stays_when_something_is_missing(live: Live, page: Page) -> None:
    proposal = live.send_proposal()
    page.goto(proposal["signing_url"])
    page.evaluate("() => document.querySelectorAll('form').forEach(f => f.noValidate = true)")
    page.get_by_label("Your email").fill("nonsense")
    page.get_by_role("radio", name="Draw it").check()
    draw(page)
    page.get_by_role("button", name="Sign proposal").click()
    summary = page.get_by_role("alert").filter(has_text="Please check the following")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("listitem")).to_have_text(
        ["This is not an e-mail address.", "Tick the box to say that you agree."],
        use_inner_text=True,
    )
    expect(page.get_by_label("Your email")).to_have_value("nonsense")
    expect(page.get_by_role("radio", name="Draw it")).to_be_checked()
    check_page(page, "signing-errors")
    page.get_by_label("Your email").fill("robin@example.com")
    page.locator("#consent").check()
    page.get_by_role("button", name="Sign proposal").click()
    expect(page.get_by_role("heading", name="Signed. Thank you.")).to_be_visible(timeout=10_000)


def test_declining_tells_why(live: Live, page: Page) -> None:
    proposal = live.send_proposal()
    page.goto(proposal["signing_url"])
    page.get_by_text("Decline this proposal").click()
    page.get_by_label("What should Test firm know?").fill("Too late for us.")
    page.get_by_role("button", name="Decline proposal").click()
    assert heading(page) == "You declined this proposal"
    check_page(page, "declined")
    stored = live.api.get(f"/api/proposals/{proposal['id']}").json
    assert (stored["status"], stored["decline_reason"]) == ("Declined", "Too late for us.")


def test_links_that_no_longer_open_a_proposal_say_why(live: Live, page: Page) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)
    expiring = live.send_proposal(valid_until=soon.isoformat())
    revised = live.send_proposal()
    live.api.made(f"/api/proposals/{revised['id']}/revise")
    opened(page, revised, 410, "There is a newer version", "revised")
    unknown = {"signing_url": f"{live.base_url}/sign/{'a' * 43}"}
    opened(page, unknown, 404, "This link does not open a proposal", "unknown")
    time.sleep(max(0.0, (soon - dt.datetime.now(dt.UTC)).total_seconds() + 0.1))
    opened(page, expiring, 410, "This proposal has expired", "expired")


def opened(page: Page, proposal: dict[str, Any], status: int, title: str, name: str) -> None:
    answer = page.goto(proposal["signing_url"])
    assert answer is not None
    assert answer.status == status
    assert heading(page) == title
    check_page(page, name)


def test_phones_need_no_sideways_scrolling(live: Live, new_page: NewPage) -> None:
    phone = new_page(**PHONE)
    proposal = live.send_proposal(name="A" * 60)
    phone.goto(proposal["signing_url"])
    check_page(phone, "signing-phone")
    phone.get_by_role("radio", name="Draw it").check()
    check_width(phone)
    phone.get_by_role("radio", name="Type it").check()
    sign_typed(phone)
    expect(phone.get_by_role("link", name="Download the signed PDF")).to_be_visible(timeout=15_000)
    check_page(phone, "signed-phone")
    phone.goto(f"{live.base_url}/verify")
    check_page(phone, "verify-phone")


def test_nothing_is_asked_of_another_host(live: Live, page: Page) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            asked.append(request.url)

    page.on("request", note)
    page.goto(live.send_proposal()["signing_url"])
    page.goto(f"{live.base_url}/api/docs")
    expect(page.get_by_role("heading", name="Service Engine X")).to_be_visible(timeout=15_000)
    assert {url for url in asked if not url.startswith(live.base_url)} == set()


CHOICES = [
    {"name": "Website build", "price": "8000.00"},
    {"name": "Photo shoot", "price": "900.00", "optional": True},
    {
        "name": "Care plan",
        "price": "90.00",
        "quantity": 12,
        "min_quantity": 6,
        "max_quantity": 24,
    },
]


def test_a_choice_shows_its_total_at_once_and_is_what_gets_signed(
    live: Live, new_page: NewPage
) -> None:
    terms = {"kind": "deposit", "deposit_percent": 50, "rest_after_days": 30}
    body = "It is **slow**.\n\n| Metric | Goal |\n|---|---|\n| LCP | 1.5 s |\n"
    sections = [{"title": "Why now", "body": body}]
    proposal = live.send_proposal(items=CHOICES, billing=terms, sections=sections)
    page = new_page(**PHONE)
    page.goto(proposal["signing_url"])
    check_page(page, "signing-choices-phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_label("Photo shoot").check()
    page.get_by_label("Quantity of Care plan").fill("20")
    expect(page.locator(".total")).to_contain_text("€10,700.00")
    expect(page.get_by_text("5,350.00").first).to_be_visible()
    page.get_by_label("Quantity of Care plan").fill("25")
    expect(page.get_by_role("alert")).to_contain_text("Care plan: choose from 6 to 24.")
    page.get_by_label("Quantity of Care plan").fill("20")
    expect(page.locator(".total")).to_contain_text("€10,700.00")
    check_page(page, "signing-choices")
    sign_typed(page)
    assert heading(page) == "Signed. Thank you."
    stored = live.api.get(f"/api/proposals/{proposal['id']}").json
    assert stored["total"] == "10700.00"


def test_choosing_works_without_scripts(live: Live, new_page: NewPage) -> None:
    proposal = live.send_proposal(items=CHOICES)
    page = new_page(java_script_enabled=False)
    page.goto(proposal["signing_url"])
    page.get_by_label("Photo shoot").check()
    sign_typed(page)
    expect(page.get_by_role("alert").first).to_contain_text("Look at the new total, then sign.")
    expect(page.locator(".total")).to_contain_text("€9,980.00")
    page.get_by_label("Quantity of Care plan").fill("6")
    page.get_by_role("button", name="Update the total").click()
    expect(page.locator(".total")).to_contain_text("€9,440.00")
    sign_typed(page)
    assert heading(page) == "Signed. Thank you."
    stored = live.api.get(f"/api/proposals/{proposal['id']}").json
    assert stored["total"] == "9440.00"


def test_a_contract_is_read_and_signed_on_its_page(live: Live, new_page: NewPage) -> None:
    api = live.api
    person = {"first_name": "Robin", "last_name": "Ray", "email": "robin@contract.example"}
    contract = api.made(
        "/api/contracts",
        {
            "name": "Care plan",
            "body": "We **care** for a year.\n\n- Updates\n- Backups",
            "contact_id": api.made("/api/contacts", person)["id"],
            "currency": "EUR",
            "total_value": "1200.00",
            "billing": {"kind": "monthly", "periods": 12},
        },
    )
    sent = api.made(f"/api/contracts/{contract['id']}/send")
    page = new_page(**PHONE)
    page.goto(sent["signing_url"])
    check_page(page, "contract-phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    check_page(page, "contract")
    page.get_by_label("Your full name").fill("Robin Ray")
    page.get_by_label("Signature", exact=True).fill("Robin Ray")
    page.locator("#consent").check()
    page.get_by_role("button", name="Sign contract").click()
    assert heading(page) == "Signed. Thank you."
    expect(page.get_by_role("link", name="Download the signed PDF")).to_be_visible(timeout=20_000)
    check_page(page, "contract-signed")
