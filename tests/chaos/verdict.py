"""Was each acknowledged operation done, and done once? The clients' logs against the database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.tenants import Tenant

# For each kind of operation, how often the database says it happened to each subject.
HAPPENED = {
    "create proposal": (
        """SELECT name AS subject, count(*) AS n FROM proposals
           WHERE organization_id = %(organization_id)s GROUP BY 1""",
    ),
    "send proposal": (
        """SELECT entity_id::text AS subject, count(*) AS n FROM activity_events
           WHERE organization_id = %(organization_id)s AND entity_type = 'proposal'
             AND type = 'sent' GROUP BY 1""",
    ),
    "sign": (
        """SELECT proposal_id::text AS subject, count(*) AS n FROM signatures
           WHERE organization_id = %(organization_id)s GROUP BY 1""",
        """SELECT proposal_id::text AS subject, count(*) AS n FROM orders
           WHERE organization_id = %(organization_id)s GROUP BY 1""",
        # 1 when there are as many projects as items
        """SELECT i.proposal_id::text AS subject,
                  count(r.id)::float / count(DISTINCT i.id) AS n
           FROM proposal_items i LEFT JOIN projects r
             ON r.organization_id = i.organization_id AND r.proposal_item_id = i.id
           WHERE i.organization_id = %(organization_id)s GROUP BY 1""",
    ),
    "message": (
        """SELECT content AS subject, count(*) AS n FROM messages
           WHERE organization_id = %(organization_id)s GROUP BY 1""",
    ),
    "status": (
        """SELECT entity_id::text AS subject, count(*) AS n FROM activity_events
           WHERE organization_id = %(organization_id)s AND entity_type = 'project'
             AND type = 'status_changed' GROUP BY 1""",
    ),
    "advance": (
        """SELECT project_id::text AS subject, count(*) AS n FROM phase_changes
           WHERE organization_id = %(organization_id)s AND from_phase IS NOT NULL GROUP BY 1""",
    ),
}


@dataclass
class Operation:
    """One thing a client asked for, however often it had to ask."""

    kind: str
    subject: str
    time: float  # when it was acknowledged, else when it was last asked for
    acknowledged: bool = False
    tries: int = 0


@dataclass(frozen=True)
class Miss:
    """What was lost or doubled: how many, and when the client was told (time.time())."""

    time: float
    count: int
    text: str


def operations(journals: Iterable[Path]) -> list[Operation]:
    """What the clients' logs tell; reads are left out, and so is a line that was cut short."""
    found: dict[str, Operation] = {}
    for path in journals:
        for line in path.read_text().splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if entry["kind"] not in HAPPENED:
                continue
            operation = found.setdefault(
                entry["op"], Operation(entry["kind"], entry["subject"], entry["time"])
            )
            if entry["phase"] == "intent":
                operation.tries += 1
            if not operation.acknowledged:
                operation.time = entry["time"]
                operation.acknowledged = bool(entry.get("acknowledged"))
    return list(found.values())


def compare(tenant: Tenant, told: Iterable[Operation]) -> tuple[list[Miss], list[Miss]]:
    """What was acknowledged and is not there, and what is there more often than asked for.

    An operation that nobody acknowledged may have happened or not.
    """
    by_kind: dict[str, dict[str, list[Operation]]] = defaultdict(lambda: defaultdict(list))
    for operation in told:
        by_kind[operation.kind][operation.subject].append(operation)
    lost, doubled = [], []
    for kind, subjects in by_kind.items():
        for sql in HAPPENED[kind]:
            happened = {row["subject"]: row["n"] for row in tenant.rows(sql)}
            for subject, asked in subjects.items():
                sure = sum(operation.acknowledged for operation in asked)
                n = happened.get(subject, 0)
                if sure > n:
                    lost.append(_miss(asked, sure - n, f"{kind} {subject}: {n} of {sure}"))
                if n > len(asked):
                    text = f"{kind} {subject}: {n}, asked for {len(asked)}"
                    doubled.append(_miss(asked, n - len(asked), text))
    return lost, doubled


def _miss(asked: list[Operation], count: float, text: str) -> Miss:
    return Miss(max(operation.time for operation in asked), max(1, round(count)), text)
