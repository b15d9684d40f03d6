"""The staff's console and the API's documentation in a real browser."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import check_page, heading
from tests.browser.conftest import PHONE, NewPage
from tests.conftest import Live
from webapp.services.identity.accounts import create_user

pytestmark = pytest.mark.long

PASSWORD = "correct horse battery"


def log_in(page: Page, live: Live) -> None:
    email = f"{secrets.token_hex(4)}@example.com"
    live.tenant.run(lambda: create_user(email, "Ana Wolf", PASSWORD, role="viewer"))
    page.goto(live.base_url)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Latest proposals")).to_be_visible()


def test_logging_in_shows_the_firm_and_logging_out_ends_it(live: Live, page: Page) -> None:
    signed = live.send_proposal()
    assert live.api.sign(signed, client=live.client, Prefer="wait=20").status == 200
    live.send_proposal(name="A second thing")
    log_in(page, live)
    proposals = page.get_by_role("group", name="Table of proposals")
    expect(proposals.get_by_role("rowheader")).to_have_text(["A second thing", "Website relaunch"])
    expect(proposals.get_by_text("Signed")).to_be_visible()
    expect(page.get_by_role("group", name="Table of engagements")).to_contain_text("Active")
    check_page(page, "console")
    page.get_by_role("button", name="Log out").click()
    assert heading(page) == "Log in"
    page.goto(f"{live.base_url}/console")
    assert heading(page) == "Log in"


def test_a_refused_login_says_so_without_saying_why(live: Live, page: Page) -> None:
    page.goto(f"{live.base_url}/console/login")
    check_page(page, "login")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("The email or the password is not right")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value("nobody@example.com")
    check_page(page, "login-refused")


def test_the_console_fits_a_phone_and_starts_empty(live: Live, new_page: NewPage) -> None:
    phone = new_page(**PHONE)
    log_in(phone, live)
    expect(phone.get_by_text("No proposals yet.")).to_be_visible()
    check_page(phone, "console-phone-empty")
    live.send_proposal()
    phone.reload()
    check_page(phone, "console-phone")


def test_the_documentation_lists_the_operations(live: Live, page: Page) -> None:
    page.goto(f"{live.base_url}/api/docs")
    page.get_by_role("heading", name="proposals", exact=False).first.click(timeout=15_000)
    expect(page.get_by_text("/api/proposals/{proposal_id}/sign").first).to_be_visible(
        timeout=15_000
    )
    check_page(page, "api-docs")


def test_an_unknown_address_is_answered_with_a_page(live: Live, page: Page) -> None:
    answer = page.goto(f"{live.base_url}/no/such/page")
    assert answer is not None
    assert answer.status == 404
    assert heading(page) == "Not found"
    check_page(page, "error")
