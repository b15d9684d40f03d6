"""An organization of the benchmark's own on the stage, and every process that works for it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import redis
from psycopg.rows import dict_row

from benchmarks.sender import Sender, http
from benchmarks.stage import Database, Server, Stage
from models.db.tenancy import ShownCredential, TenantContext
from webapp.core.logs import configure_logs
from webapp.core.transaction import in_transaction
from webapp.schemas.sales import ProposalCreate
from webapp.services.common import secrets
from webapp.services.sales.drafting import create_proposal
from webapp.services.sales.sending import send_proposal

T = TypeVar("T")

IDLE_SECONDS = 180.0
CONNECTIONS = 8
AT_ONCE = 100  # proposals made in one transaction

_PROPOSAL = {
    "name": "Website relaunch",
    "currency": "EUR",
    "client_company": {"name": "Benchmark client"},
    "items": [
        {"name": "Discovery", "price": "1000.00"},
        {"name": "Website build", "price": "4800.50", "quantity": 2},
        {"name": "Care plan", "description": "A year of updates", "price": "99.99"},
    ],
}
# What a signing uses of what was there before, by the name of its slot.
_KNOWN = """
    SELECT l.id::text AS link_id, p.id::text AS proposal_id, p.number AS proposal_number,
           p.content_sha256, p.client_company_id::text AS company_id,
           p.contact_id::text AS contact_id, l.credential_id::text AS credential_id,
           array_agg(i.id::text ORDER BY i.position) AS items
    FROM proposals p
    JOIN signing_links l ON l.organization_id = p.organization_id AND l.proposal_id = p.id
    JOIN proposal_items i ON i.organization_id = p.organization_id AND i.proposal_id = p.id
    WHERE p.organization_id = %(organization_id)s AND p.id = ANY(%(ids)s)
    GROUP BY l.organization_id, l.id, p.organization_id, p.id"""
_WRITTEN = (
    "proposals", "proposal_items", "proposal_versions", "signing_links", "credentials", "contacts",
    "client_companies", "jobs",
)  # fmt: skip
_LIVE = """
    SELECT count(*) FILTER (WHERE state IN ('ready', 'running')) AS live,
           count(*) FILTER (WHERE state = 'dead') AS dead
    FROM jobs
    WHERE organization_id = %(organization_id)s AND state IN ('ready', 'running', 'dead')"""


class DeadJobs(Exception):
    """A job gave up: what was measured is not what should have happened."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A proposal that waits to be signed: its link's token, and its values by slot."""

    token: str
    known: Mapping[str, str]

    def request(self, prefer: str) -> bytes:
        """The client's request to sign; `prefer` says how long it waits (RFC 7240)."""
        body = {
            "signer_name": "Robin Ray",
            "signer_email": "robin@example.com",
            "consent": True,
            "signature": {"method": "typed", "data": "Robin Ray"},
            "content_sha256": self.known["content_sha256"],
        }
        return http("POST", f"/api/public/proposals/{self.token}/sign", body, Prefer=prefer)


class Firm:
    """An empty organization in `database`, with an owner's API key `key`."""

    def __init__(self, stage: Stage, database: Database) -> None:
        self.stage, self.database = stage, database
        self.id, self.key = database.add_organization("Benchmark of the flows")
        configure_logs("WARNING")  # this process's own; those of the measured ones stay on
        self._connection = database.connect()
        self.port = 0

    def __enter__(self) -> Firm:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def start(self) -> dict[str, Server]:
        """Start worker, dispatcher, beat and web (2 processes) as `make run` does."""
        names = ("worker", "dispatcher", "beat")
        servers = {name: self.stage.service(name, self.database) for name in names}
        servers["web"] = self.stage.web(self.database)
        self.port = servers["web"].port
        return servers

    def run(self, work: Callable[[], T]) -> T:
        """Run `work` in one transaction, as the caller who holds the API key."""
        with self.database.app.app_context():
            shown = ShownCredential("api_key", secrets.digest(self.key), lambda _: None)
            return in_transaction(TenantContext(shown), work)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows, asked for as the owner of the tables; `%(organization_id)s` is given."""
        cursor = self._connection.cursor(row_factory=dict_row)
        cursor.execute(sql.encode(), {"organization_id": self.id, **values})
        return cursor.fetchall() if cursor.description else []

    def one(self, sql: str, **values: Any) -> Any:
        """The only column of the first row."""
        return next(iter(self.rows(sql, **values)[0].values()))

    def send_proposals(self, count: int) -> list[Sent]:
        """Make and send proposals of three items, by the services; nobody is told of them.

        Call it while no worker runs: the jobs they leave are taken away.
        """
        made: list[Sent] = []
        while len(made) < count:
            made += self._send(min(AT_ONCE, count - len(made)))
        self.forget_jobs()
        # As autovacuum would do by and by; the plans do not depend on when it came.
        self.rows(f"ANALYZE {', '.join(_WRITTEN)}")
        return made

    def ask_for_a_mail(self) -> None:
        """Make a proposal and send it, so that its client is mailed the link."""
        self._send(1)

    def open_projects(self, count: int) -> list[tuple[str, str]]:
        """Open an engagement of `count` projects over HTTP, each with a conversation.

        Returns the ids of each project and its conversation.
        """

        def post(paths: Sequence[str], **body: Any) -> list[Any]:
            requests = [http("POST", path, body, key=self.key) for path in paths]
            with Sender(self.port, CONNECTIONS) as sender:
                return [answer.json for answer in sender.send(requests, expect=[201])]

        [engagement] = post(["/api/engagements"], name="Busy engagement")
        projects = post(["/api/projects"] * count, engagement_id=engagement["id"], name="Project")
        paths = [f"/api/projects/{project['id']}/conversations" for project in projects]
        return [(talk["project_id"], talk["id"]) for talk in post(paths, subject="Talk")]

    def forget_jobs(self) -> None:
        """Take away the jobs that preparations left, and the wake-ups for them."""
        self.rows("DELETE FROM jobs WHERE organization_id = %(organization_id)s")
        client = redis.Redis.from_url(self.stage.valkey.url)
        client.flushall()
        client.close()

    def wait_until_idle(self, pause: float = 0.01) -> None:
        """Wait until no job is left. Raises DeadJobs, and TimeoutError after three minutes."""
        deadline = time.monotonic() + IDLE_SECONDS
        while True:
            [found] = self.rows(_LIVE)
            if found["dead"]:
                raise DeadJobs(f"{found['dead']} jobs gave up: see {self.stage.logs}")
            if not found["live"]:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found['live']} jobs are left after {IDLE_SECONDS:.0f} s")
            time.sleep(pause)

    def _send(self, count: int) -> list[Sent]:
        secret_key = self.database.app.config["SETTINGS"].secret_key

        def work() -> list[UUID]:
            ids = []
            for _ in range(count):
                address = f"robin.{random.randbytes(6).hex()}@example.com"
                contact = {"first_name": "Robin", "last_name": "Ray", "email": address}
                values = ProposalCreate().load({**_PROPOSAL, "contact": contact})
                proposal = create_proposal(values)
                send_proposal(proposal.id, secret_key)
                ids.append(proposal.id)
            return ids

        found = self.rows(_KNOWN, ids=self.run(work))
        return [_sent(row, secret_key) for row in found]


def _sent(row: dict[str, Any], secret_key: bytes) -> Sent:
    items: Sequence[str] = row.pop("items")
    known = row | {f"item_{number}": item for number, item in enumerate(items)}
    return Sent(secrets.link_token(secret_key, UUID(known["link_id"])), known)
