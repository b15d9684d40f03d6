"""Which browser is found, with real programs on the search path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.browser import BrowserError, check_archive, find

pytestmark = pytest.mark.long


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for, empty, and no browser is named."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return folder


def program(file: Path, status: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\nexit {status}\n")
    file.chmod(0o755)
    return file


def test_a_named_browser_comes_before_those_on_the_path(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "chromium")
    mine = program(tmp_path / "mine")
    monkeypatch.setenv("CHROMIUM", str(mine))
    found = find(tmp_path / "none")
    assert found is not None and found.executable == mine


def test_a_named_browser_that_does_not_start_is_an_error_and_not_another_browser(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "chromium")
    for wrong in (tmp_path / "nowhere", program(tmp_path / "broken", status=1)):
        monkeypatch.setenv("CHROMIUM", str(wrong))
        with pytest.raises(BrowserError, match=f"CHROMIUM is {wrong}, which does not start"):
            find(tmp_path / "none")


def test_a_program_that_only_names_a_package_is_passed_over(path: Path, tmp_path: Path) -> None:
    program(path / "chromium-browser", status=1)
    real = program(path / "google-chrome")
    found = find(tmp_path / "none")
    assert found is not None and found.executable == real


def test_a_fetched_browser_comes_last_and_has_its_own_libraries_and_fonts(
    path: Path, tmp_path: Path
) -> None:
    fetched = program(tmp_path / "fetched" / "chromium")
    found = find(fetched.parent)
    assert found is not None and found.executable == fetched
    assert set(found.env) == {"LD_LIBRARY_PATH", "FONTCONFIG_FILE"}
    assert set(found.env).isdisjoint(os.environ)
    program(path / "chromium")
    found = find(fetched.parent)
    assert found is not None and found.executable == path / "chromium"


def test_without_any_browser_none_is_found(path: Path, tmp_path: Path) -> None:
    assert find(tmp_path / "none") is None


def test_another_archive_than_the_one_on_record_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "chromium.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(BrowserError, match=f"and not {browser.SHA256}"):
        check_archive(archive)
