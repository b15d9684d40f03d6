"""What every page must pass: readable by everybody, fitting every screen, and looked at."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

HERE = Path(__file__).parent
AXE = (HERE / "vendor" / "axe.min.js").read_text()
SCREENSHOTS = HERE.parents[1] / "var" / "screenshots"


def check_page(page: Page, name: str) -> None:
    """Nothing serious for axe, no sideways scrolling; a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    check_width(page)
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == [], serious


def check_width(page: Page) -> None:
    """No horizontal scrolling."""
    wide = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0


def heading(page: Page) -> str:
    return page.locator("h1").first.inner_text()
