"""The health of engagements: kept up by a job when something happens, and by beat as time passes.

Each judgement says when time alone may change it, so that beat looks at those engagements only.

What is judged, and how, is in `health_rules.py`; here are the facts, one statement for many
engagements, and what becomes of the judgement (rulings.md, *Health*).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal_column, select

from models.db.base import uuid7
from models.db.queries import CompiledQuery, Row, bound, execute
from models.db.tenancy import current_organization_id
from models.engagements import Engagement, EngagementHealth, EngagementHealthChange
from webapp.services.common.exceptions import NotFound
from webapp.services.common.reads import aggregate
from webapp.services.common.working_time import WorkingCalendar, hours_of_week
from webapp.services.common.writes import now
from webapp.services.engagements.health_rules import Fact, Judge, Judgement, Thresholds
from webapp.services.identity.organization import organization, public_holidays
from webapp.services.jobs.enqueue import enqueue

SWEEP_SIZE = 500

# Work that is due counts while the engagement is active; money, messages and contracts also while
# it is paused. What is closed or cancelled has no reasons any more.
_FACTS = """
    WITH judged AS (
        SELECT e.organization_id, e.id, e.status FROM engagements e
        WHERE e.organization_id = %(organization_id)s AND e.id = ANY(%(ids)s)
          AND e.deleted_at IS NULL AND e.status IN ('active', 'on_hold')),
    at_work AS (
        SELECT p.organization_id, p.id, p.name, p.engagement_id, p.phase, p.created_at
        FROM judged e JOIN projects p
          ON p.organization_id = e.organization_id AND p.engagement_id = e.id
        WHERE e.status = 'active' AND p.status = 'active' AND p.deleted_at IS NULL)
    SELECT p.engagement_id, 'task_overdue' AS kind, t.id, t.name, t.due_date AS day,
           NULL::timestamptz AS since
    FROM at_work p JOIN tasks t ON t.organization_id = p.organization_id AND t.project_id = p.id
    WHERE t.due_date < %(today)s AND t.status NOT IN ('completed', 'cancelled')
      AND t.deleted_at IS NULL
    UNION ALL
    SELECT p.engagement_id, 'milestone_overdue', m.id, m.name, m.due_date, NULL
    FROM at_work p
    JOIN milestones m ON m.organization_id = p.organization_id AND m.project_id = p.id
    WHERE m.due_date < %(today)s AND m.completed_at IS NULL AND m.deleted_at IS NULL
    UNION ALL
    SELECT i.engagement_id, 'invoice_overdue', i.id, 'Invoice ' || i.number, i.due_date, NULL
    FROM judged e
    JOIN invoices i ON i.organization_id = e.organization_id AND i.engagement_id = e.id
    WHERE i.status = 'open' AND i.due_date < %(today)s
    UNION ALL
    SELECT n.engagement_id, 'due_next', n.engagement_id, '', min(n.day), NULL
    FROM (
        SELECT p.engagement_id, t.due_date AS day
        FROM at_work p
        JOIN tasks t ON t.organization_id = p.organization_id AND t.project_id = p.id
        WHERE t.due_date >= %(today)s AND t.status NOT IN ('completed', 'cancelled')
          AND t.deleted_at IS NULL
        UNION ALL
        SELECT p.engagement_id, m.due_date
        FROM at_work p
        JOIN milestones m ON m.organization_id = p.organization_id AND m.project_id = p.id
        WHERE m.due_date >= %(today)s AND m.completed_at IS NULL AND m.deleted_at IS NULL
        UNION ALL
        SELECT i.engagement_id, i.due_date
        FROM judged e
        JOIN invoices i ON i.organization_id = e.organization_id AND i.engagement_id = e.id
        WHERE i.status = 'open' AND i.due_date >= %(today)s) n
    GROUP BY n.engagement_id
    UNION ALL
    SELECT p.engagement_id, 'project_idle', p.id, p.name, NULL, (
        SELECT coalesce(max(c.changed_at), p.created_at) FROM phase_changes c
        WHERE c.organization_id = p.organization_id AND c.project_id = p.id)
    FROM at_work p WHERE p.phase <> 'handoff'
    UNION ALL
    SELECT e.id, 'message_unanswered', c.id, c.subject, NULL, waiting.since
    FROM judged e
    JOIN projects p ON p.organization_id = e.organization_id AND p.engagement_id = e.id
         AND p.deleted_at IS NULL
    JOIN conversations c ON c.organization_id = p.organization_id AND c.project_id = p.id
         AND c.status = 'open' AND c.deleted_at IS NULL
    CROSS JOIN LATERAL (
        SELECT min(m.created_at) AS since FROM messages m
        WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id
          AND m.sender_kind = ANY(%(clients)s) AND m.deleted_at IS NULL
          AND m.created_at > coalesce((
            SELECT max(a.created_at) FROM messages a
            WHERE a.organization_id = c.organization_id AND a.conversation_id = c.id
              AND a.sender_kind <> ALL(%(clients)s) AND NOT a.is_internal
              AND a.deleted_at IS NULL), '-infinity')) waiting
    WHERE waiting.since IS NOT NULL
    UNION ALL
    SELECT e.id, 'contract_ending', k.id, k.name, k.end_date, NULL
    FROM judged e
    JOIN engagement_contracts l ON l.organization_id = e.organization_id
         AND l.engagement_id = e.id
    JOIN contracts k ON k.organization_id = l.organization_id AND k.id = l.contract_id
    WHERE k.status = 'signed' AND k.deleted_at IS NULL
      AND k.end_date >= %(today)s"""

# One statement: the judgement where it differs, what the lists filter by, and the history. An
# engagement that is well, and that time alone cannot change, needs no row.
_KEEP = """
    WITH judged AS (
        SELECT j.* FROM json_to_recordset(%(judged)s)
          AS j(id uuid, engagement_id uuid, change_id uuid, status text, reasons jsonb,
               check_at timestamptz)),
    known AS (
        SELECT j.*, e.organization_id, e.health AS was FROM judged j
        JOIN engagements e ON e.organization_id = %(organization_id)s AND e.id = j.engagement_id),
    kept AS (
        INSERT INTO engagement_health AS h
            (organization_id, id, engagement_id, status, since, reasons, check_at, computed_at)
        SELECT k.organization_id, k.id, k.engagement_id, k.status, now(), k.reasons, k.check_at,
               now()
        FROM known k
        LEFT JOIN engagement_health o
          ON o.organization_id = k.organization_id AND o.engagement_id = k.engagement_id
        WHERE (o.status, o.reasons, o.check_at) IS DISTINCT FROM (k.status, k.reasons, k.check_at)
          AND (o.id IS NOT NULL OR k.status <> 'ok' OR k.check_at IS NOT NULL)
        ON CONFLICT (organization_id, engagement_id) DO UPDATE
        SET since = CASE WHEN h.status = excluded.status THEN h.since ELSE now() END,
            status = excluded.status, reasons = excluded.reasons, check_at = excluded.check_at,
            computed_at = now()
        RETURNING 1),
    told AS (
        INSERT INTO engagement_health_changes
            (organization_id, id, engagement_id, from_status, to_status, reasons, changed_at)
        SELECT organization_id, change_id, engagement_id, was, status, reasons, now()
        FROM known WHERE was <> status
        RETURNING 1)
    UPDATE engagements e SET health = k.status FROM known k
    WHERE e.organization_id = k.organization_id AND e.id = k.engagement_id AND k.was <> k.status"""
_DUE = """
    SELECT engagement_id FROM engagement_health
    WHERE organization_id = %(organization_id)s AND check_at <= now()
    ORDER BY check_at, id LIMIT %(limit)s"""
_LOOK_AT_ALL = """
    INSERT INTO engagement_health (organization_id, id, engagement_id, status, check_at)
    SELECT organization_id, gen_random_uuid(), id, 'ok', now() FROM engagements
    WHERE organization_id = %(organization_id)s AND deleted_at IS NULL
      AND status IN ('active', 'on_hold')
    ON CONFLICT (organization_id, engagement_id) DO UPDATE SET check_at = now()"""

_ONE_AT_A_TIME = """
    SELECT pg_advisory_xact_lock(hashtextextended('health:' || %(organization_id)s::text, 0))"""
_LAST = (
    select(EngagementHealthChange)
    .where(
        EngagementHealthChange.organization_id == Engagement.organization_id,
        EngagementHealthChange.engagement_id == Engagement.id,
    )
    .order_by(EngagementHealthChange.changed_at.desc(), EngagementHealthChange.id.desc())
    .limit(20)
    .correlate(Engagement)
    .lateral("last_changes")
)
# Whoever writes as a client: by the portal, by a link, or by e-mail.
CLIENTS = ("contact", "portal_link", "signing_link")


def refresh(engagement_ids: Sequence[UUID]) -> None:
    """Judge these engagements anew; those that are closed or gone are `ok`."""
    ids = sorted(set(engagement_ids))
    # One at a time in an organization: who judged on older facts must not have the last word.
    execute(_ONE_AT_A_TIME, {"organization_id": current_organization_id()})
    rules = _judge()
    facts: dict[UUID, list[Fact]] = {id_: [] for id_ in ids}
    for row in _facts(ids, rules):
        facts[row.pop("engagement_id")].append(Fact(**row))
    _keep([(id_, rules.judge(found)) for id_, found in facts.items()])


def ask_for_refresh(engagement_ids: Iterable[UUID], occasion: UUID) -> None:
    """Ask for a job that judges each of them anew because of what happened."""
    for id_ in sorted(set(engagement_ids)):
        enqueue("engagements.refresh_health", f"{id_}:{occasion}", {"engagement_id": str(id_)})


def sweep() -> bool:
    """Judge the engagements whose health may be another because time has passed.

    At most `SWEEP_SIZE` of them; whether there may be more.
    """
    values = {"organization_id": current_organization_id(), "limit": SWEEP_SIZE}
    ids = [row["engagement_id"] for row in execute(_DUE, values)]
    if ids:
        refresh(ids)
    return len(ids) == SWEEP_SIZE


def look_at_all() -> None:
    """Let the next sweeps judge every open engagement: what counts has become another."""
    execute(_LOOK_AT_ALL, {"organization_id": current_organization_id()})


def health_of(engagement_id: UUID) -> Row:
    """An engagement's health with its history. Raises NotFound."""
    row = _HEALTH.one(id=engagement_id)
    if row is None:
        raise NotFound("There is no engagement with this id.")
    return row


_HEALTH = CompiledQuery.of(
    select(
        Engagement.health.label("status"),
        func.coalesce(EngagementHealth.since, Engagement.created_at).label("since"),
        func.coalesce(EngagementHealth.reasons, literal_column("'[]'::jsonb")).label("reasons"),
        EngagementHealth.computed_at,
        aggregate(
            select(_LAST), _LAST.c.changed_at.desc(),
            from_status=_LAST.c.from_status, to_status=_LAST.c.to_status,
            reasons=_LAST.c.reasons, changed_at=_LAST.c.changed_at,
        ).label("history"),
    )
    .select_from(Engagement)
    .outerjoin(
        EngagementHealth,
        (EngagementHealth.organization_id == Engagement.organization_id)
        & (EngagementHealth.engagement_id == Engagement.id),
    )
    .where(Engagement.id == bound("id", Engagement.id.type), Engagement.deleted_at.is_(None))
)  # fmt: skip


def _judge() -> Judge:
    """What the organization counts, and when it works."""
    found = organization()
    calendar = WorkingCalendar(
        ZoneInfo(found["timezone"]),
        hours_of_week(found["working_hours"]),
        public_holidays(found["holidays_region"]),
    )
    return Judge(Thresholds(**found["thresholds"]), calendar, now())


def _facts(ids: list[UUID], rules: Judge) -> list[Row]:
    return execute(
        _FACTS,
        {
            "organization_id": current_organization_id(),
            "ids": ids,
            "today": rules.today,
            "clients": list(CLIENTS),
        },
    )


def _keep(judged: Sequence[tuple[UUID, Judgement]]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": str(uuid7()),
            "change_id": str(uuid7()),
            "engagement_id": str(id_),
            "status": judgement.status,
            "reasons": judgement.reasons,
            "check_at": judgement.check_at.isoformat() if judgement.check_at else None,
        }
        for id_, judgement in judged
    ]
    values = {"organization_id": current_organization_id(), "judged": json.dumps(rows)}
    execute(_KEEP, values)
