"""Servers and callers for the tests: real PostgreSQL, Valkey, processes; no fakes.

Each test process has embedded servers of its own, and each test an organization of its own.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

import tasks
from models.db.base import db
from tests.support.stack import Stack
from tests.support.tenants import Api, Tenant
from tests.support.threads import threads_end
from webapp import create_app
from webapp.config import Settings
from webapp.core.database import migrate
from webapp.devstack.postgres import EmbeddedPostgres
from webapp.devstack.valkey import EmbeddedValkey

assert tasks  # registers every kind of job

# Compiled once for all processes that the tests start, also where the environment forbids it.
os.environ |= {"PYTHONDONTWRITEBYTECODE": ""}
os.environ.setdefault(
    "PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "pycache")
)

PRISTINE = "pristine"  # a migrated database without a row, to clone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that two processes are busy to the end.

    The faults mostly wait, and each takes long: first, so that the other process computes meanwhile
    and takes over what the first one does not get to. What takes long and computes comes last in
    the other one's share, where it is taken over one by one.
    """
    place = {"test_faults.py": 0, "test_openapi.py": 2}
    items.sort(key=lambda item: place.get(item.path.name, 1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason why tests were skipped, however many they are."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


@dataclass
class Servers:
    """The embedded servers of this test process, and the environment that leads to them."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    env: dict[str, str]
    var: Path


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    var = tmp_path_factory.mktemp("var")
    with (
        EmbeddedPostgres(var, durable=False) as postgres,
        EmbeddedValkey(var, persist=False) as valkey,
    ):
        env = {
            "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or postgres.owner_url,
            "REDIS_URL": valkey.url,
            "SECRET_KEY": secrets.token_hex(32),
            # Every test calls from the same address; test_rate_limits.py turns them on.
            "RATE_LIMITS": "off",
            "VAR_DIR": str(var),
        }
        migrate(Settings.from_environment(env))
        if "TEST_DATABASE_URL" not in os.environ:
            postgres.create_database(PRISTINE, template="service_engine_x")
        yield Servers(postgres, valkey, env, var)


@pytest.fixture(scope="session")
def app(servers: Servers) -> Iterator[Flask]:
    """The application on its own migrated database; jobs run when a test runs them."""
    app = create_app(Settings.from_environment(servers.env))
    yield app
    threads_end()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    return Tenant.create(app)


@pytest.fixture
def other_tenant(app: Flask) -> Tenant:
    return Tenant.create(app, "Other firm")


@pytest.fixture
def organization(tenant: Tenant) -> UUID:
    return tenant.id


@pytest.fixture
def in_tenant(tenant: Tenant) -> Callable[[Callable[[], Any]], Any]:
    return tenant.run


@pytest.fixture
def api(app: Flask, tenant: Tenant) -> Api:
    """The tenant's owner, over the test client."""
    return Api(app=app, api_key=tenant.api_key)


@pytest.fixture
def anybody(app: Flask) -> Api:
    """A caller without a credential."""
    return Api(app=app)


@contextmanager
def a_stack(servers: Servers, folder: Path) -> Iterator[OwnStack]:
    """A stack with a database and a broker of its own; not started yet."""
    name = f"own_{secrets.token_hex(6)}"
    with EmbeddedValkey(folder, persist=False) as valkey:
        env = servers.env | {
            "DATABASE_URL": servers.postgres.create_database(name, template=PRISTINE),
            "REDIS_URL": valkey.url,
        }
        settings = Settings.from_environment(env)
        migrate(settings)  # the roles' settings belong to the database and are not cloned
        app = create_app(settings)
        made = OwnStack(Stack(folder / "stack", env), valkey, app)
        try:
            yield made
        finally:
            made.stack.stop()
            threads_end()
            with app.app_context():
                for engine in db.engines.values():
                    engine.dispose()
            servers.postgres.drop_database(name)


@pytest.fixture(scope="session")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnStack]:
    """Web, worker, dispatcher and beat as real processes, shared by the tests that spare them."""
    with a_stack(servers, tmp_path_factory.mktemp("shared")) as shared:
        shared.stack.start()
        yield shared


@pytest.fixture
def own_stack(servers: Servers, tmp_path: Path) -> Iterator[OwnStack]:
    """A stack of the test's own, which it may break; not started yet."""
    with a_stack(servers, tmp_path) as made:
        yield made


@dataclass
class OwnStack:
    """A stack that a test may break, its broker, and the application on its database."""

    stack: Stack
    valkey: EmbeddedValkey
    app: Flask

    def live(self) -> Live:
        """A new tenant on this stack."""
        tenant = Tenant.create(self.app)
        return Live(
            self.stack,
            tenant,
            Api(base_url=self.stack.base_url, api_key=tenant.api_key),
            Api(base_url=self.stack.base_url),
        )


@pytest.fixture
def own_tenant(own_stack: OwnStack) -> Tenant:
    """A tenant on a database of its own, for what looks at the rows of all."""
    return Tenant.create(own_stack.app)


@pytest.fixture
def own_api(own_stack: OwnStack, own_tenant: Tenant) -> Api:
    return Api(app=own_stack.app, api_key=own_tenant.api_key)


@dataclass
class Live:
    """A tenant on the running stack."""

    stack: Stack
    tenant: Tenant
    api: Api
    client: Api

    @property
    def base_url(self) -> str:
        return self.stack.base_url

    @property
    def api_key(self) -> str:
        return self.tenant.api_key

    @property
    def env(self) -> dict[str, str]:
        return self.stack.env

    def send_proposal(self, **changes: Any) -> dict[str, Any]:
        return self.api.send_proposal(**changes)


@pytest.fixture
def live(stack: OwnStack) -> Live:
    """A new tenant on the shared stack."""
    return stack.live()
