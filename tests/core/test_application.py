"""The application without routes: what worker, dispatcher, beat and commands are made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import meta

from tests.conftest import Servers
from webapp.config import Settings
from webapp.core.application import create_core

MAILS = Path(__file__).resolve().parents[2] / "webapp" / "pages" / "templates" / "mail"
# What Flask gives to templates within a request alone, or that leads to a route.
OF_REQUESTS = {"request", "session", "url_for", "get_flashed_messages"}


def test_an_application_without_routes_answers_nothing_but_files(servers: Servers) -> None:
    app = create_core(Settings.from_environment(servers.env))
    assert {rule.endpoint for rule in app.url_map.iter_rules()} <= {"static"}


@pytest.mark.parametrize("name", sorted(path.name for path in MAILS.iterdir()))
def test_a_mail_is_written_without_routes(servers: Servers, name: str) -> None:
    app = create_core(Settings.from_environment(servers.env))
    template = f"mail/{name}"
    assert app.jinja_env.get_template(template)  # raises for a filter that is not there
    assert app.jinja_env.loader is not None
    waiting, seen = [template], set[str]()
    while waiting:
        seen.add(one := waiting.pop())
        parsed = app.jinja_env.parse(app.jinja_env.loader.get_source(app.jinja_env, one)[0])
        assert not meta.find_undeclared_variables(parsed) & OF_REQUESTS
        waiting += {other for other in meta.find_referenced_templates(parsed) if other} - seen


@pytest.mark.parametrize("entry", ["celery_worker", "tasks.runtime.dispatcher"])
def test_what_does_jobs_loads_neither_the_api_nor_the_pages(servers: Servers, entry: str) -> None:
    program = (
        f"import sys, {entry}, webapp.core.application\n"
        "print(*(n for n in sys.modules if n.startswith(('webapp.api', 'webapp.pages', 'typst',"
        " 'marshmallow', 'flask_limiter', 'alembic'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=MAILS.parents[3],
        env={**servers.env, "PATH": ""},
    )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
