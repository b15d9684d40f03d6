"""The command line: what people read, what programs read, and the exit codes."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner

from models.db.base import db, uuid7
from models.jobs import JOB_STATES, MAX_ATTEMPTS, Job
from tests.conftest import Servers
from tests.support.tenants import Tenant
from webapp.cli.base import make_app
from webapp.cli.jobs import STATES
from webapp.cli.main import main
from webapp.devstack.beside import settings_beside

SETTINGS = ("DATABASE_URL", "DATABASE_APP_URL", "DATABASE_DISPATCHER_URL", "REDIS_URL",
            "SECRET_KEY", "BASE_URL", "VAR_DIR")  # fmt: skip


class Sx:
    """`sx` as a process of its own, on the servers that `env` names."""

    def __init__(self, env: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.env = {**inherited, **env}

    def __call__(self, *args: object, code: int = 0, **env: str) -> str:
        """Run the command; returns what it said: on standard error when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "webapp.cli.main", *map(str, args)],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr or done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def json(self, *args: object, **env: str) -> Any:
        return json.loads(self(*args, "--json", **env))


class QuickSx(Sx):
    """The same in this process, which has paid for the application's start already."""

    def __call__(self, *args: object, code: int = 0, **env: str) -> str:
        done = CliRunner(env={**self.env, **env}).invoke(main, list(map(str, args)))
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def environment(servers: Servers) -> Iterator[None]:
    """This process's environment and application are those of a command on the test's servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        for name, value in servers.env.items():
            patch.setenv(name, value)
        # Made here, so that its log does not go to a command's captured output.
        app = make_app()
        yield
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
        make_app.cache_clear()


@pytest.fixture
def sx(environment: None, servers: Servers) -> Sx:
    return QuickSx(servers.env)


def make_job(tenant: Tenant, state: str, kind: str = "jobs.prune") -> UUID:
    job_id = uuid7()

    def work() -> None:
        db.session.add(
            Job(
                id=job_id,
                kind=kind,
                dedupe_key=str(job_id),
                payload={},
                state=state,
                attempts=MAX_ATTEMPTS if state == "dead" else 0,
                last_error="KeyError at somewhere.py:7" if state == "dead" else None,
                finished_at="2026-01-01T00:00:00Z" if state == "dead" else None,
            )
        )

    tenant.run(work)
    return job_id


def test_jobs_are_listed_for_people_and_for_programs(sx: Sx, tenant: Tenant) -> None:
    dead, ready = make_job(tenant, "dead"), make_job(tenant, "ready")
    listed = sx.json("jobs", "list", "--org", tenant.slug)
    assert [row["id"] for row in listed] == [str(ready), str(dead)]
    assert {row["organization"] for row in listed} == {tenant.slug}
    text = sx("jobs", "list", "--org", tenant.slug, "--state", "dead")
    heading, line = text.splitlines()
    assert heading.split()[:4] == ["id", "organization", "kind", "state"]
    assert line.startswith(str(dead))
    assert line.endswith("KeyError at somewhere.py:7")
    assert sx("jobs", "list", "--org", tenant.slug, "--kind", "none.such").startswith("There are")


def test_jobs_of_all_organizations_are_listed_together(
    sx: Sx, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, theirs = make_job(tenant, "ready"), make_job(other_tenant, "ready")
    assert [row["id"] for row in sx.json("jobs", "list", "--limit", 2)] == [str(theirs), str(mine)]


def test_a_job_is_found_wherever_it_is_shown_retried_and_cancelled(sx: Sx, tenant: Tenant) -> None:
    dead = make_job(tenant, "dead")
    shown = sx.json("jobs", "show", dead)
    assert (shown["organization"], shown["state"]) == (tenant.slug, "dead")
    assert "KeyError at somewhere.py:7" in sx("jobs", "show", dead)
    for _ in range(2):
        assert sx.json("jobs", "retry", dead)["state"] == "ready"
    for _ in range(2):
        assert sx.json("jobs", "cancel", dead)["state"] == "cancelled"
    assert "The job jobs.prune is ready." in sx("jobs", "retry", dead)
    assert tenant.count("jobs", "kind = 'activity.record'") == 3


def test_all_dead_jobs_of_a_kind_are_retried_at_once(sx: Sx, tenant: Tenant) -> None:
    for kind in ("jobs.prune", "jobs.prune", "deletion.purge"):
        make_job(tenant, "dead", kind)
    options = ("jobs", "retry", "--all", "--kind", "jobs.prune", "--org", tenant.slug)
    assert sx(*options) == "Retried 2 jobs.\n"
    assert sx.json(*options) == {"retried": 0}
    assert tenant.count("jobs", "state = 'dead'") == 1


def test_what_cannot_be_done_is_one_line_and_an_exit_code(sx: Sx, tenant: Tenant) -> None:
    nowhere = uuid4()
    assert sx("jobs", "show", nowhere, code=1) == f"sx: there is no job {nowhere}\n"
    dead = make_job(tenant, "dead")
    assert "only one that waits can be cancelled" in sx("jobs", "cancel", dead, code=1)
    assert "there is no organization 'none'" in sx("jobs", "list", "--org", "none", code=1)
    assert "--all" in sx("jobs", "retry", code=2)
    assert "--all" in sx("jobs", "retry", dead, "--all", code=2)
    sx("jobs", "show", "no-uuid", code=2)
    sx("jobs", "list", "--state", "lost", code=2)


def test_without_settings_every_missing_one_is_named(tmp_path: Path) -> None:
    said = Sx({"VAR_DIR": str(tmp_path)})("jobs", "list", code=2)
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        assert f"{name} is not set" in said


def test_beside_make_run_a_command_finds_its_servers(servers: Servers, tmp_path: Path) -> None:
    """The embedded servers' secrets stand in their folder; only SECRET_KEY is `sx up`'s own."""
    assert settings_beside(tmp_path) == {}
    kept = json.loads((servers.var / "secrets.json").read_text())
    kept["secret_key"] = servers.env["SECRET_KEY"]
    (tmp_path / "secrets.json").write_text(json.dumps(kept))
    (tmp_path / "up.lock").write_text("7 http://127.0.0.1:8123\n")
    found = settings_beside(tmp_path)
    assert found["REDIS_URL"] == servers.valkey.url
    assert found["DATABASE_URL"] == servers.postgres.owner_url
    assert found["BASE_URL"] == "http://127.0.0.1:8123"
    if "TEST_DATABASE_URL" not in os.environ:
        assert isinstance(Sx({"VAR_DIR": str(tmp_path)}).json("jobs", "list", "--limit", 1), list)


def test_a_user_a_key_and_an_organization_are_made(sx: Sx) -> None:
    slug = f"made-{uuid4().hex[:12]}"
    assert sx.json("org", "create", "Made here", "--slug", slug)["slug"] == slug
    assert "taken" in sx("org", "create", "Again", "--slug", slug, code=1)
    email = f"{uuid4().hex}@example.com"
    user = f"user create --org {slug} --email {email} --name Kim".split()
    made = sx.json(*user, SX_PASSWORD="a long password")
    assert made["email"] == email
    assert "already" in sx(*user, code=1, SX_PASSWORD="a long password")
    assert sx("key", "create", "--org", slug, "--role", "viewer").startswith("sx_live_")
    assert "no such scope" in sx("key", "create", "--org", slug, "--scope", "all", code=1)


def test_the_openapi_document_is_printed(sx: Sx) -> None:
    assert json.loads(sx("openapi"))["openapi"].startswith("3.1")


def test_help_needs_no_settings_and_hides_what_is_not_for_people() -> None:
    said = Sx({})("--help")
    assert "dispatcher" in said
    assert "demo-seed" not in said


def test_the_command_starts_without_the_application() -> None:
    """`sx up` and `sx --help` must not pay for Flask, SQLAlchemy and Celery."""
    code = (
        "import sys, webapp.cli.main; "
        "sys.exit(str(sorted({'flask', 'sqlalchemy', 'celery', 'models'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_the_states_of_the_options_are_those_of_the_jobs() -> None:
    assert STATES == JOB_STATES


def test_keys_are_made_listed_rotated_and_revoked(sx: Sx, tenant: Tenant) -> None:
    org = ("--org", tenant.slug)
    allow = ("--allow", "203.0.113.0/24")
    made = sx.json("key", "create", *org, *allow, "--name", "Website", "--expires", "90d")
    assert "no network" in sx("key", "create", *org, "--allow", "here", code=1)
    assert "no network" in sx("key", "create", *org, "--allow", "10.0.0.1/8", code=1)
    days = dt.datetime.fromisoformat(made["expires_at"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=89) < days <= dt.timedelta(days=90)
    rotated = sx.json("key", "rotate", made["id"], *org, "--overlap", "24h")
    assert rotated["key"] != made["key"]
    sx("key", "revoke", rotated["id"], *org)
    listed = {row["id"]: row for row in sx.json("key", "list", *org)}
    assert listed[rotated["id"]]["state"] == "revoked"
    assert listed[made["id"]]["state"] == "active"
    lines = sx("key", "list", *org).splitlines()
    assert lines[0].split() == ["id", "name", "role", "state", "last_used_at", "expires_at",
                                "created_at"]  # fmt: skip
    assert "revoked already" in sx("key", "revoke", rotated["id"], *org, code=1)
    assert made["key"] not in sx("key", "list", *org)


@pytest.mark.parametrize("wrong", ["soon", "90", "2027-13-01", "9999-12-31", "2027-03-31T12:00"])
def test_a_time_that_cannot_be_understood_is_refused_by_name(
    sx: Sx, tenant: Tenant, wrong: str
) -> None:
    said = sx("key", "create", "--org", tenant.slug, "--expires", wrong, code=2)
    assert "--expires" in said


def test_a_user_is_listed_disabled_enabled_and_given_another_password(
    sx: Sx, tenant: Tenant
) -> None:
    org = ("--org", tenant.slug)
    email = f"{uuid4().hex}@example.com"
    sx("user", "create", *org, "--email", email, "--name", "Kim", SX_PASSWORD="correct horse bat")
    heading, line = sx("user", "list", *org).splitlines()
    assert heading.split() == ["email", "name", "role", "state", "sessions", "created_at"]
    assert line.split()[:5] == [email, "Kim", "member", "active", "0"]
    assert sx("user", "disable", email, *org) == f"{email} was disabled; 0 sessions ended.\n"
    [row] = sx.json("user", "list", *org)
    assert row["state"] == "disabled"
    assert "disabled already" in sx("user", "disable", email, *org, code=1)
    assert "may log in again" in sx("user", "enable", email, *org)
    ended = sx.json("user", "password", email, *org, SX_PASSWORD="another horse bat")
    assert ended == {"email": email, "sessions_ended": 0}
    assert "password" in sx("user", "password", email, *org, code=1, SX_PASSWORD="short")
    assert "Forgot 0 failed log-ins" in sx("user", "unlock", email, *org)
    assert "Nobody here" in sx("user", "unlock", f"x{email}", *org, code=1)
    assert sx("user", "role", email, "admin", *org) == f"{email} is admin of {tenant.slug} now.\n"
    invited = f"{uuid4().hex}@example.com"
    assert sx.json("user", "invite", invited, *org)["role"] == "member"
    assert "invited already" in sx("user", "invite", invited, *org, code=1)
    assert sx("user", "remove", email, *org) == f"{email} was removed; 0 sessions ended.\n"
    assert "Nobody here" in sx("user", "remove", email, *org, code=1)


def test_the_audit_of_money_is_told_by_its_status_too(sx: Sx, tenant: Tenant) -> None:
    assert sx("audit", "--org", tenant.slug).strip() == "The money adds up."
    assert sx.json("audit", "--org", tenant.slug) == []
    tenant.rows(
        "INSERT INTO number_series (organization_id, id, series, last) VALUES"
        " (%(organization_id)s, %(id)s, 'invoice:' || date_part('year', now())::int, 2)"
        " RETURNING id",
        id=uuid7(),
    )
    assert sx("audit", "--org", tenant.slug, code=1) == ""
