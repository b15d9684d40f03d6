"""The unique keys of the database itself refuse a second effect, whatever the program does.

Each test copies a row, mostly one that a real signature has left behind, under a new id.
"""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.db.base import db
from models.jobs import IdempotencyKey
from tests.support.tenants import Api, Tenant

# (table, the unique key, columns that get another value because another key names them)
KEYS = [
    ("signatures", "proposal_id", ("contract_id",)),
    ("signatures", "contract_id", ("proposal_id", "version")),
    ("contracts", "proposal_id", ("number",)),
    ("contracts", "number", ("proposal_id",)),
    ("engagements", "proposal_id", ("contract_id",)),
    ("engagements", "contract_id", ("proposal_id",)),
    ("engagement_contracts", "engagement_id_contract_id", ()),
    ("projects", "proposal_item_id", ()),
    ("orders", "proposal_id", ("number",)),
    ("orders", "number", ("proposal_id",)),
    ("invoice_schedules", "order_id", ()),
    ("invoices", "schedule_id_period", ()),
    ("portal_accesses", "engagement_id_contact_id", ()),
    ("signed_documents", "signature_id", ()),
    ("proposals", "number", ()),
    ("proposal_versions", "proposal_id_version", ()),
    ("signing_links", "proposal_id_version", ("credential_id",)),
    ("number_series", "series", ()),
    ("jobs", "kind_dedupe_key", ()),
    ("idempotency_keys", "actor_key", ()),
]
# What the database gives itself.
GENERATED = {"jobs": ("seq",), "contacts": ("email_key",), "engagements": ("name_key",)}
FRESH = {"number": "'another'", "credential_id": "gen_random_uuid()"}

KEPT = {"actor": "a", "key": "k", "route": "r", "request_hash": b"", "status": 200, "body": {}}


@pytest.fixture(scope="module")
def signed(app: Flask) -> Tenant:
    """A tenant with one signed and fulfilled proposal; its organization is for these tests."""
    tenant = Tenant.create(app)
    api = Api(app=app, api_key=tenant.api_key)
    assert api.sign(api.send_proposal()).status == 202
    tenant.run_jobs()
    tenant.run(lambda: db.session.add(IdempotencyKey(**KEPT)))
    return tenant


@pytest.mark.parametrize(("table", "key", "others"), KEYS, ids=[f"{k[0]}.{k[1]}" for k in KEYS])
def test_a_second_row_for_the_same_thing_is_refused(
    signed: Tenant, table: str, key: str, others: tuple[str, ...]
) -> None:
    names = [
        row["column_name"]
        for row in signed.rows(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %(table)s",
            table=table,
        )
        if row["column_name"] not in GENERATED.get(table, ())
    ]
    values = [
        "gen_random_uuid()" if name == "id" else FRESH.get(name, "NULL") if name in others else name
        for name in names
    ]

    def again() -> None:
        db.session.execute(
            text(
                f"INSERT INTO {table} ({', '.join(names)})"
                f" SELECT {', '.join(values)} FROM {table} LIMIT 1"
            )
        )

    before = signed.count(table)
    assert before > 0
    with pytest.raises(IntegrityError) as refused:
        signed.run(again)
    assert refused.value.orig is not None
    broken = getattr(refused.value.orig, "diag").constraint_name  # noqa: B009 - psycopg's own
    # Names that are too long for the database end in a digest.
    assert broken[:50] == f"uq_{table}_organization_id_{key}"[:50]
    assert signed.count(table) == before
