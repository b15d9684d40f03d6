"""An application that takes payments online, and the server that plays Stripe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from models.db.base import db
from tests.conftest import Servers
from tests.support.stripe_server import KEY, SECRET, StripeServer, stripe_server
from tests.support.threads import threads_end
from webapp import create_app
from webapp.config import Settings


@pytest.fixture(scope="module")
def stripe() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture(scope="module")
def app(servers: Servers, stripe: StripeServer) -> Iterator[Flask]:
    env = servers.env | {
        "STRIPE_API_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_URL": stripe.url,
    }
    app = create_app(Settings.from_environment(env))
    yield app
    threads_end()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
