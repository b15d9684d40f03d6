"""The documentation says what is so: links, commands, paths, settings, and the tutorial itself."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import click
import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound

from tests.conftest import Live
from webapp.cli.main import main as sx
from webapp.config import Settings
from webapp.devstack.up import processes
from webapp.services.jobs.kinds import KINDS, LANES

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Drawn from the code, and compared with it as a whole.
DRAWN = ("cli.md", "permissions.md", "states.md")
ANY_ID = str(UUID(int=7))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_ROUTE = re.compile(r"^(GET|POST|PUT|DELETE) (/\S+)$")
_CURL_PATH = re.compile(r"\$SX(/[^\s\"?']*)")
_HERE = re.compile(
    r"^(?:\.ci|docs|migrations|models|tasks|tests|webapp)(?:/[\w.-]+)*(?:/|\.\w+)$|^[A-Z]+\.md$"
)

named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in _BLOCK.findall(text_of(page)) if language in languages]


def inline_code(page: Path) -> list[str]:
    return _CODE.findall(_BLOCK.sub("", text_of(page)))


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """Each call of `program` in the page's code, as its words; comments are left out."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for code in [*lines, *inline_code(page)]:
        code = code.strip().removeprefix(".venv/bin/")
        if code == program or code.startswith(f"{program} "):
            yield shlex.split(code, comments=True)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text_of(page)), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@named
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(_BLOCK.sub("", text_of(page)))
    links += re.findall(r'src="([^"]+)"', text_of(page))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


@named
def test_files_named_in_the_text_exist(page: Path) -> None:
    for code in inline_code(page):
        if _HERE.match(code) and "NNNN" not in code:
            assert (ROOT / code).exists(), f"there is no {code}"


def test_the_code_that_is_shown_is_the_code() -> None:
    files = [
        file for layer in ("models", "webapp", "tasks") for file in ROOT.glob(f"{layer}/**/*.py")
    ]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for block in blocks(ROOT / "CONTRIBUTING.md", "python"):
        for line in block.splitlines():
            assert line in source, f"no such line: {line}"


@named
def test_make_commands_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    for _, *words in commands(page, "make"):
        for word in words:
            name, sign, _ = word.partition("=")
            assert name in (variables if sign else targets), f"make {word}"


@named
def test_sx_commands_exist(page: Path) -> None:
    for words in commands(page, "sx"):
        command: click.Command = sx
        for word in words[1:]:
            if isinstance(command, click.Group):
                below = command.commands.get(word)
                assert below is not None, f"{shlex.join(words)}: there is no {word}"
                command = below
            elif word.startswith("--"):
                known = {option for param in command.params for option in param.opts}
                assert word in known, f"{shlex.join(words)}: there is no {word}"


@named
def test_paths_of_the_api_exist(page: Path, app: Flask) -> None:
    routes = app.url_map.bind("127.0.0.1")
    for block in blocks(page, "sh"):
        for path in _CURL_PATH.findall(block):
            filled = re.sub(r"\$\w+", ANY_ID, path)
            assert routes.allowed_methods(filled), f"there is no {path}"
    if page.name in DRAWN:
        return
    for code in inline_code(page):
        if found := _ROUTE.match(code):
            method, path = found.groups()
            try:
                routes.match(re.sub(r"{\w+}|<\w+>", ANY_ID, path), method)
            except (NotFound, MethodNotAllowed):
                # A pattern such as `POST /…/<verb>` names no one route.
                assert "…" in path, f"there is no {code}"


def test_the_reference_equals_the_code() -> None:
    # In a process of its own: making an application changes Celery's current one.
    done = subprocess.run(
        [sys.executable, "-m", "webapp.devtools.reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def settings_table() -> dict[str, str]:
    """The documented variables, with their defaults."""
    page = text_of(ROOT / "docs/reference/settings.md")
    return {
        name: default.strip("`")
        for name, default in re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", page, re.MULTILINE)
    }


def test_every_variable_that_is_read_is_documented() -> None:
    reads = re.compile(
        r"""(?:environ|env)(?:\.get\(|\[)"([A-Z][A-Z_]+)"|need\("([A-Z_]+)"|envvar="([A-Z_]+)"|"""
        r"""_database_url\(env, "([A-Z_]+)"|"([A-Z_]+)" (?:not )?in os\.environ"""
    )
    files = [*ROOT.glob("webapp/**/*.py"), *ROOT.glob("tasks/**/*.py"), ROOT / "tests/conftest.py"]
    found = {
        name
        for file in files
        for groups in reads.findall(file.read_text(encoding="utf-8"))
        for name in groups
        if name
    }
    assert {"SECRET_KEY", "PORT", "DATABASE_URL", "WORKER_CONSUMERS"} <= found
    assert found <= set(settings_table())


def test_the_documented_defaults_are_the_defaults() -> None:
    needed = {
        "SECRET_KEY": "x" * 32,
        "DATABASE_URL": "postgresql://owner@127.0.0.1/none",
        "REDIS_URL": "redis://127.0.0.1/0",
    }
    table = settings_table()
    of_settings = ("BASE_URL", "VAR_DIR", "MAIL_FROM", "WEB_THREADS", "LOG_LEVEL", "RATE_LIMITS")
    stated = {name: table[name] for name in of_settings}
    assert Settings.from_environment(needed | stated) == Settings.from_environment(needed)
    of_the_stack = ("WEB_WORKERS", "WEB_THREADS", "LOG_LEVEL")
    stated = {name: table[name] for name in of_the_stack}
    var = ROOT / "var"
    assert processes("127.0.0.1", 8000, var, stated) == processes("127.0.0.1", 8000, var, {})
    consumers = " ".join(f"{lane.name}={lane.consumers}" for lane in LANES.values())
    assert table["WORKER_CONSUMERS"] == consumers
    assert consumers in text_of(ROOT / "docs/reference/cli.md")


def test_every_kind_of_job_is_explained() -> None:
    explained = re.findall(
        r"^\| `(\w+\.\w+)` \|", text_of(ROOT / "docs/explanation/jobs.md"), re.MULTILINE
    )
    real = [kind for kind in KINDS if not kind.startswith("test.")]  # other tests have their own
    assert sorted(explained) == sorted(real)


@pytest.mark.skipif(
    shutil.which("curl") is None and "CI" not in os.environ,
    reason="the examples of the documentation call curl: install it (Debian: apt-get install curl)",
)
@pytest.mark.parametrize(
    ("page", "shown_at_the_end"),
    [
        ("docs/tutorial/first-signature.md", '"name": "Juniper Bakery - Engagement"'),
        ("docs/tutorial/a-client-from-deal-to-hand-off.md", "Closed"),
        ("docs/how-to/call-the-api.md", '"kind":"sales.fulfil_signature"'),
    ],
)
def test_the_examples_do_what_they_say(
    page: str, shown_at_the_end: str, live: Live, tmp_path: Path
) -> None:
    # The other blocks start the stack and name its address and key, as the environment does here.
    calls = re.compile(r"\b(curl|api (GET|POST|PUT|DELETE)) ")
    steps = [block for block in blocks(ROOT / page, "sh") if calls.search(block)]
    separator = "==> next step"
    script = f"\necho '{separator}'\n".join(steps)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "SX": live.base_url, "KEY": live.api_key, "NO_PROXY": "127.0.0.1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    shown = done.stdout.split(separator)
    assert len(shown) == len(steps)
    assert shown_at_the_end in shown[-1]
    assert "/problems/" not in done.stdout
