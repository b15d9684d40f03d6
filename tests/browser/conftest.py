"""A real Chromium. A page that breaks the content security policy or throws fails its test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.browser import HOW_TO_GET_ONE, find

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

NewPage = Callable[..., Page]


# For each module: Playwright keeps an event loop running in the thread of the tests.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = find()
    if found is None:
        if "CI" in os.environ:
            pytest.fail(HOW_TO_GET_ONE)
        pytest.skip(HOW_TO_GET_ONE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.executable, env={**os.environ, **found.env}, args=ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[NewPage]:
    """Makes pages, each in a browser profile of its own; options as of `Browser.new_context`."""
    contexts = []
    problems: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # An answer such as 404 or 422 is told as an error too, and is what the test is about.
        if message.type == "error" and "Failed to load resource" not in message.text:
            problems.append(message.text)

    def make(**options: Any) -> Page:
        size = {"viewport": {"width": 1280, "height": 900}}
        context = chromium.new_context(**{**size, "reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: problems.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()
