"""The floor: a bare WSGI function with a psycopg pool, doing the same SQL and nothing else.

No framework, no authentication, no row-level security, no validation, no log. The SELECTs are the
application's own, handed over in FLOOR_SQL; the organization is fixed by ORGANIZATION_ID.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Json
from psycopg_pool import ConnectionPool
from uuid_utils.compat import uuid7

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

with open(os.environ["FLOOR_SQL"]) as file:
    SQL: dict[str, str] = json.load(file)
ORGANIZATION = os.environ["ORGANIZATION_ID"]
THREADS = int(os.environ["WEB_THREADS"])
POOL = ConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=THREADS,
    max_size=THREADS,
    kwargs={"autocommit": True, "row_factory": dict_row},
    open=True,
)

# What a POST of the application writes: the record, the job of its activity, and the answer that
# is kept for retries.
INSERT = """
    INSERT INTO engagements (organization_id, id, name, description, total_value, currency,
        start_date, client_company_id, contact_id, custom_fields, owner_id)
    VALUES (%(organization_id)s, %(id)s, %(name)s, %(description)s, %(total_value)s, %(currency)s,
        %(start_date)s, %(client_company_id)s, %(contact_id)s, %(custom_fields)s, 'floor')"""
INSERT_JOB = """
    INSERT INTO jobs (organization_id, id, kind, dedupe_key, payload)
    VALUES (%(organization_id)s, %(job_id)s, 'activity.record', %(id)s, %(payload)s)"""
INSERT_KEY = """
    INSERT INTO idempotency_keys
        (organization_id, id, actor, key, route, request_hash, status, body)
    VALUES (%(organization_id)s, %(key_id)s, 'floor', %(key)s, 'floor', %(hash)s, 201, %(body)s)"""


def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """GET /<id>, GET / (a list of 20), POST / (create)."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        data = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        return answer(start_response, "201 Created", create(data))
    with POOL.connection() as connection:
        if path == "/":
            values = {"organization_id": ORGANIZATION, "page_limit": 21}
            rows = connection.execute(SQL["list"], values).fetchall()
            return answer(start_response, "200 OK", rows[:20])
        values = {"organization_id": ORGANIZATION, "id": path[1:]}
        return answer(start_response, "200 OK", connection.execute(SQL["one"], values).fetchone())


def create(data: dict[str, Any]) -> Any:
    """Write what the application writes, in one transaction, and read the record."""
    record_id = str(uuid7())
    values = {
        **data,
        "organization_id": ORGANIZATION,
        "id": record_id,
        "custom_fields": Json(data["custom_fields"]),
        "job_id": uuid7(),
        "payload": Json({"entity_id": record_id, "action": "created"}),
        "key_id": uuid7(),
        "key": secrets.token_hex(16),
        "hash": b"\0" * 32,
        "body": Json(data),
    }
    with POOL.connection() as connection, connection.transaction():
        connection.execute(INSERT, values)
        connection.execute(INSERT_JOB, values)
        connection.execute(INSERT_KEY, values)
        return connection.execute(SQL["one"], values).fetchone()


def answer(start_response: StartResponse, status: str, found: Any) -> Iterable[bytes]:
    body = json.dumps(found, default=str).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]
