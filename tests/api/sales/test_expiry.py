"""A proposal is open or expired by one clock, the database's, at the moment it is signed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from models.db.base import db
from tests.support.tenants import Api, Tenant


def valid_for(tenant: Tenant, seconds: float) -> None:
    """Let the tenant's proposals be valid for so long from now, by the database's clock."""
    tenant.run(
        lambda: db.session.execute(
            text("UPDATE proposals SET valid_until = now() + make_interval(secs => :seconds)"),
            {"seconds": seconds},
        )
    )


@pytest.mark.parametrize(
    ("server_clock", "seconds", "status"), [(-7, -60, 409), (7, 3600, 202)], ids=["slow", "fast"]
)
def test_a_web_server_whose_clock_is_wrong_neither_opens_nor_closes_a_proposal(
    tenant: Tenant, api: Api, server_clock: int, seconds: int, status: int
) -> None:
    proposal = api.send_proposal(valid_until=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    valid_for(tenant, seconds)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=server_clock), tick=True):
        assert api.sign(proposal).status == status
    assert tenant.count("signatures") == (1 if status == 202 else 0)


def test_a_signature_that_waited_until_the_proposal_had_expired_comes_too_late(
    app: Flask, tenant: Tenant, api: Api
) -> None:
    proposal = api.send_proposal(valid_until=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    url = app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    with (
        psycopg.connect(url.render_as_string(hide_password=False)) as editor,
        ThreadPoolExecutor(1) as client,
    ):
        editor.execute("SELECT set_config('app.organization_id', %s, true)", (str(tenant.id),))
        editor.execute(
            "UPDATE proposals SET valid_until = clock_timestamp() + interval '0.8 seconds'"
            " WHERE id = %s",
            (proposal["id"],),
        )
        signing = client.submit(api.sign, proposal)
        time.sleep(1.2)
        editor.commit()
        assert signing.result(10).status == 409
    assert tenant.count("signatures") == 0
