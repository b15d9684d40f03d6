"""The engagement: the hub that a client relationship's projects, files and money hang on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Float, String, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import SoftDeletable, TenantRecord, Versioned, belongs_to
from models.db.constraints import (
    amount_with_currency,
    at_least,
    currency_form,
    day_index,
    in_order,
    index,
    json_array,
    json_object,
    list_index,
    not_blank,
    purge_index,
    sort_index,
)
from models.states import ENGAGEMENT

CUSTOM_FIELD_ENTITIES = ("engagement", "project", "deal", "contact", "company")
CUSTOM_FIELD_TYPES = (
    "text", "number", "money", "date", "boolean", "choice", "choices", "url", "user",
)  # fmt: skip
OK, ATTENTION, AT_RISK = "ok", "attention", "at_risk"
HEALTH = (OK, ATTENTION, AT_RISK)
_HEALTH_KNOWN = "IN ('ok', 'attention', 'at_risk')"


class Engagement(Versioned, SoftDeletable, TenantRecord):
    """A working relationship with a client (E, *Full Schema* and *Foreign Keys*).

    `owner_id` is a free string on purpose: owners come from outside the users table. A
    `legal_hold`, for `legal_hold_reason`, keeps the purge away from the engagement and everything
    below it. Once the purge has begun with it (`purge_started_at`) it is not restored any more.
    `health` is the status of its `engagement_health`, here so that lists can be filtered and sorted
    by it; `name_key` finds it by the beginning of its name.
    """

    __tablename__ = "engagements"
    noun = "engagement"
    __table_args__ = (
        belongs_to("proposal_id", "proposals", ondelete="SET NULL"),
        belongs_to("contract_id", "contracts", ondelete="SET NULL"),
        belongs_to("deal_id", "deals", ondelete="SET NULL"),
        belongs_to("client_company_id", "client_companies", ondelete="SET NULL"),
        belongs_to("contact_id", "contacts", ondelete="SET NULL"),
        UniqueConstraint("organization_id", "proposal_id"),
        UniqueConstraint("organization_id", "contract_id"),
        not_blank(),
        not_blank("owner_id"),
        ENGAGEMENT.check(),
        in_order("start_date", "end_date"),
        at_least(0, "total_value"),
        currency_form(),
        amount_with_currency("total_value"),
        CheckConstraint(
            "(status IN ('completed', 'cancelled')) = (closed_at IS NOT NULL)",
            name="closed_if_final",
        ),
        json_object("custom_fields"),
        CheckConstraint(f"health {_HEALTH_KNOWN}", name="health_known"),
        list_index("engagements", live_only=True),
        list_index("engagements", "health", live_only=True),
        list_index("engagements", "status", live_only=True),
        list_index("engagements", "owner_id", live_only=True),
        list_index("engagements", "client_company_id"),
        list_index("engagements", "contact_id"),
        index("engagements", "deal_id"),
        sort_index("engagements", "name", live_only=True),
        sort_index("engagements", "health", live_only=True),
        index("engagements", "name_key", where="deleted_at IS NULL"),
        index("engagements", "closed_at", where="deleted_at IS NULL"),
        index("engagements", "start_date", where="deleted_at IS NULL"),
        index("engagements", "end_date", where="deleted_at IS NULL"),
        day_index("engagements", "start_date", live_only=True),
        day_index("engagements", "end_date", live_only=True),
        purge_index("engagements"),
    )

    proposal_id: Mapped[UUID | None]
    contract_id: Mapped[UUID | None]
    deal_id: Mapped[UUID | None]
    client_company_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    owner_id: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    name_key: Mapped[str | None] = mapped_column(
        Text(collation="C"), Computed("lower(name)", persisted=True)
    )
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16), server_default="active", default="active")
    start_date: Mapped[dt.date | None]
    end_date: Mapped[dt.date | None]
    total_value: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    purge_started_at: Mapped[dt.datetime | None]
    legal_hold: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    legal_hold_reason: Mapped[str | None]
    closed_at: Mapped[dt.datetime | None]
    health: Mapped[str] = mapped_column(String(16), server_default=OK, default=OK)
    custom_fields: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), default=dict
    )


class EngagementContract(TenantRecord):
    """A contract that an engagement works under; it may work under many."""

    __tablename__ = "engagement_contracts"
    noun = "engagement_contract"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        belongs_to("contract_id", "contracts"),
        UniqueConstraint("organization_id", "engagement_id", "contract_id"),
        index("engagement_contracts", "contract_id"),
    )

    engagement_id: Mapped[UUID]
    contract_id: Mapped[UUID]


class CustomFieldDefinition(Versioned, TenantRecord):
    """One custom field an organization added to a kind of record; `options` are its choices.

    A new record without it gets the `default_value`. An archived one is asked for no more.
    """

    __tablename__ = "custom_field_definitions"
    noun = "custom_field_definition"
    __table_args__ = (
        UniqueConstraint("organization_id", "entity_type", "key"),
        CheckConstraint(
            "entity_type IN ('engagement', 'project', 'deal', 'contact', 'company')",
            name="entity_type_known",
        ),
        CheckConstraint(
            "field_type IN ('text', 'number', 'money', 'date', 'boolean', 'choice', 'choices',"
            " 'url', 'user')",
            name="field_type_known",
        ),
        CheckConstraint("key ~ '^[a-z][a-z0-9_]*$'", name="key_form"),
        not_blank("label"),
        json_array("options"),
        at_least(0, "position"),
        list_index("custom_field_definitions"),
    )

    entity_type: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(255))
    field_type: Mapped[str] = mapped_column(String(16))
    required: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    options: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    position: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    default_value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    archived_at: Mapped[dt.datetime | None]


# At most so many digits: no text that looks like a number is too much for one.
_AS_NUMBER = (
    "CASE WHEN value ~ '^-?[0-9]{1,32}([.][0-9]{1,32})?$' THEN value::double precision"
    " WHEN value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
    " THEN replace(value, '-', '')::double precision END"
)


class CustomFieldValue(TenantRecord):
    """A custom field's value as a text, to find records by; several for a field of choices.

    Kept by triggers on the records themselves: under row-level security an index on their JSON
    would serve nobody. What reads as a number is kept as one too, a day as its digits (20261231),
    to be found by ranges and sorted; it is a copy to compare by, never an amount.
    """

    __tablename__ = "custom_field_values"
    noun = "custom_field_value"
    __table_args__ = (
        CheckConstraint(
            "entity_type IN ('engagement', 'project', 'deal', 'contact', 'company')",
            name="entity_type_known",
        ),
        index("custom_field_values", "entity_type", "key", "value", "entity_id"),
        index(
            "custom_field_values",
            "entity_type",
            "key",
            "number",
            "entity_id",
            where="number IS NOT NULL",
        ),
        index("custom_field_values", "entity_type", "entity_id"),
    )

    entity_type: Mapped[str] = mapped_column(String(16))
    entity_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(255))
    number: Mapped[float | None] = mapped_column(Float(53), Computed(_AS_NUMBER, persisted=True))


class EngagementHealth(TenantRecord):
    """How an engagement fares, as last judged, since when, and the reasons why.

    Without a row it is well. `check_at` is when time alone may change it.
    """

    __tablename__ = "engagement_health"
    noun = "engagement_health"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        UniqueConstraint("organization_id", "engagement_id"),
        CheckConstraint(f"status {_HEALTH_KNOWN}", name="status_known"),
        json_array("reasons"),
        index("engagement_health", "check_at"),
    )

    engagement_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(String(16))
    since: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    check_at: Mapped[dt.datetime | None]
    computed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class EngagementHealthChange(TenantRecord):
    """When an engagement's health became another, and the reasons at that time. Append-only."""

    __tablename__ = "engagement_health_changes"
    noun = "engagement_health_change"
    __table_args__ = (
        belongs_to("engagement_id", "engagements"),
        CheckConstraint(f"from_status {_HEALTH_KNOWN}", name="from_status_known"),
        CheckConstraint(f"to_status {_HEALTH_KNOWN}", name="to_status_known"),
        CheckConstraint("from_status <> to_status", name="status_differs"),
        json_array("reasons"),
        index("engagement_health_changes", "engagement_id", "changed_at", "id"),
    )

    engagement_id: Mapped[UUID]
    from_status: Mapped[str] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    changed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
