"""The data: a million engagements of ten organizations, loaded in SQL by the owner of the tables.

Rows of all organizations alternate, as they would when all of them work at the same time, and the
ids are as old as the rows. The organization that is measured is the first one. A sample of its
engagements, spread over the whole time, has what a signed proposal of three items leaves: three
projects and three conversations; the others have one project each.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg

from benchmarks.report import ROOT

ROWS = 1_000_000
SAMPLE = 2_000  # engagements that GET reads
COMPANIES = 500  # in each organization; twice as many contacts
SLUG = "bench-0"
MARK = "three items"  # the description of the sampled engagements

_ORGANIZATIONS: LiteralString = """
    INSERT INTO organizations (id, name, slug, timezone, currency)
    SELECT gen_random_uuid(), 'Benchmark ' || n, 'bench-' || n, 'UTC', 'EUR'
    FROM generate_series(0, %(organizations)s - 1) n"""
# The organizations with a number, to give rows to them by turns.
_NUMBERED: LiteralString = """
    CREATE TEMPORARY TABLE numbered AS
    SELECT id, split_part(slug, '-', 2)::integer AS number FROM organizations"""
_COMPANIES: LiteralString = """
    CREATE TEMPORARY TABLE companies AS
    SELECT o.id AS organization_id, o.number, n, uuidv7(interval '-400 days') AS id
    FROM numbered o, generate_series(0, %(companies)s - 1) n;
    INSERT INTO client_companies (organization_id, id, name, website, created_at)
    SELECT organization_id, id, 'Company ' || n, 'https://company-' || n || '.example.com',
           now() - interval '400 days'
    FROM companies;
    CREATE TEMPORARY TABLE people AS
    SELECT c.organization_id, c.number, c.n * 2 + half AS n, c.id AS company_id,
           uuidv7(interval '-400 days') AS id
    FROM companies c, generate_series(0, 1) half;
    INSERT INTO contacts
        (organization_id, id, client_company_id, first_name, last_name, email, created_at)
    SELECT organization_id, id, company_id, 'Contact', 'Number ' || n,
           'contact-' || n || '@example.com', now() - interval '400 days'
    FROM people;
    CREATE INDEX ON companies (number, n);
    CREATE INDEX ON people (number, n);
    ANALYZE companies;
    ANALYZE people"""
_ENGAGEMENTS: LiteralString = """
    CREATE TEMPORARY TABLE loaded AS
    SELECT n, n %% %(organizations)s AS number, n / %(organizations)s AS k,
           interval '-20 seconds' * (%(rows)s - n) AS age
    FROM generate_series(0, %(rows)s - 1) n;
    ALTER TABLE loaded ADD COLUMN id uuid;
    UPDATE loaded SET id = uuidv7(age);
    ANALYZE loaded;
    INSERT INTO engagements
        (organization_id, id, client_company_id, contact_id, owner_id, name, description, status,
         start_date, total_value, currency, custom_fields, created_at, updated_at)
    SELECT p.organization_id, l.id, p.company_id, p.id, 'owner-' || l.k %% 20,
           'Engagement ' || l.k,
           CASE WHEN l.number = 0 AND l.k %% %(every)s = 0 THEN %(mark)s
                ELSE 'Retained work, renewed every year' END,
           CASE WHEN l.k %% 7 = 0 THEN 'on_hold' ELSE 'active' END,
           (now() + l.age)::date, 1000 + l.k %% 9000, 'EUR', '{"region": "north"}',
           now() + l.age, now() + l.age
    FROM loaded l
    JOIN people p ON p.number = l.number AND p.n = l.k %% (2 * %(companies)s)
    ORDER BY l.n"""
_PROJECTS: LiteralString = """
    INSERT INTO projects
        (organization_id, id, engagement_id, name, status, phase, created_at, updated_at)
    SELECT e.organization_id, uuidv7(e.created_at - now()), e.id, 'Project ' || item, 'active',
           CASE item WHEN 1 THEN 'kickoff' WHEN 2 THEN 'setup' ELSE 'build' END,
           e.created_at, e.created_at
    FROM engagements e,
         generate_series(1, CASE WHEN e.description = %(mark)s THEN 3 ELSE 1 END) item
    ORDER BY e.created_at"""
_CONVERSATIONS: LiteralString = """
    INSERT INTO conversations
        (organization_id, id, project_id, subject, last_message_at, last_activity_at, created_at,
         updated_at)
    SELECT p.organization_id, uuidv7(p.created_at - now()), p.id, 'About ' || p.name,
           p.created_at, p.created_at, p.created_at, p.created_at
    FROM projects p
    JOIN engagements e ON e.organization_id = p.organization_id AND e.id = p.engagement_id
    WHERE e.description = %(mark)s"""


def own(rows: int) -> int:
    """How many of `rows` engagements are the measured organization's: a tenth, 2,000 at least."""
    return max(rows // 10, min(SAMPLE, rows))


def version() -> str:
    """Changes with the migrations and with this file; data of another version are made anew."""
    what = hashlib.sha256()
    for path in sorted([*(ROOT / "migrations").rglob("*.py"), Path(__file__)]):
        what.update(path.read_bytes())
    return what.hexdigest()[:12]


def load(url: str, rows: int) -> None:
    """Fill a migrated, empty database. Raises psycopg.Error.

    Foreign keys are not checked meanwhile (the rows name only what is there); CHECKs are.
    """
    values = {
        "rows": rows,
        "organizations": rows // own(rows),
        "companies": COMPANIES,
        "every": max(own(rows) // SAMPLE, 1),
        "mark": MARK,
    }
    steps = (_ORGANIZATIONS, _NUMBERED, _COMPANIES, _ENGAGEMENTS, _PROJECTS, _CONVERSATIONS)
    # Parameters are put into the text here: a script of several statements takes none.
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET work_mem = '256MB'")
        connection.execute("SET maintenance_work_mem = '512MB'")
        for step in steps:
            connection.execute(step, values)
            connection.commit()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")


def organization_of(url: str) -> UUID:
    """The id of the measured organization."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT id FROM organizations WHERE slug = %s", [SLUG]).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def sampled_ids(url: str, organization_id: UUID) -> list[UUID]:
    """The engagements with three projects and three conversations, in random order."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT id FROM engagements WHERE organization_id = %s AND description = %s"
            " ORDER BY hashtext(id::text)",
            [organization_id, MARK],
        ).fetchall()
    return [UUID(str(row[0])) for row in found]
