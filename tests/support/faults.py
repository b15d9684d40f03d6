"""Processes stopped in the middle of their work, and found by their parents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from tests.support.tenants import Tenant


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def owner_connection(tenant: Tenant) -> psycopg.Connection[Any]:
    url = tenant.app.config["SETTINGS"].owner_url.set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False))


def hold_order_numbers(tenant: Tenant) -> psycopg.Connection[Any]:
    """Lock the series of order numbers: whatever fulfils now stops in the middle of its work."""
    holder = owner_connection(tenant)
    holder.execute("SELECT set_config('app.organization_id', %s, false)", (str(tenant.id),))
    holder.execute(
        "INSERT INTO number_series (organization_id, id, series, last)"
        " VALUES (%s, gen_random_uuid(), 'order', 0)",
        (tenant.id,),
    )
    return holder


def stopped_in_the_middle(tenant: Tenant) -> int:
    """How many fulfilments wait for an order number, most of their rows written."""
    [row] = tenant.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%%number_series%%'"
    )
    return int(row["n"])
