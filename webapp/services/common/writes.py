"""Writing records: what creating, changing, moving and trashing have in common.

Each change counts the record's row version and is told to the activity log in the same
transaction (rulings.md, *Activity*).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, bindparam, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from models.db.base import SoftDeletable, TenantRecord, Versioned, db, uuid7
from models.db.inserts import fill, insert_records
from models.db.queries import CompiledQuery, Row, bound
from models.db.tenancy import current_organization_id, current_transaction
from models.identity import Membership, Organization
from models.states import StateMachine
from webapp.services.activity.events import record_activity
from webapp.services.common.exceptions import (
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    StaleVersion,
)
from webapp.services.common.reads import RecordQuery
from webapp.services.custom_fields.validation import (
    DEFINITIONS,
    named_users,
    with_defaults,
    wrong_custom_fields,
)

R = TypeVar("R", bound=TenantRecord)

# A table below a record, and the condition that finds the rows that go with the record.
Below = tuple[type[TenantRecord], ColumnElement[bool]]
# The tables that a record's ids refer to, by field.
References = Mapping[str, type[TenantRecord]]
_Tables = tuple[tuple[str, type[TenantRecord]], ...]


def lock(
    model: type[R],
    record_id: UUID,
    *,
    expected_row_version: int | None = None,
    share: bool = False,
    **within: UUID,
) -> R:
    """The record, locked until the transaction ends. The lock is why a query is made here.

    With `share` others may hold the lock too, but nobody changes the record meanwhile.

    Raises NotFound (also for another organization's id and a deleted record) and StaleVersion
    when `expected_row_version`, the one the caller has seen, is not the current one.
    """
    keys = {"organization_id": current_organization_id(), "id": record_id, **within}
    record: R | None = db.session.scalars(_locking(model, share, tuple(within)), keys).one_or_none()
    if record is None:
        raise NotFound(f"There is no {model.noun.replace('_', ' ')} with this id.")
    seen = expected_row_version
    if seen is not None and isinstance(record, Versioned) and record.row_version != seen:
        raise StaleVersion()
    return record


@functools.lru_cache(maxsize=1024)
def _locking(model: type[R], share: bool, within: tuple[str, ...]) -> Select[Any]:
    entity: Any = model
    statement = select(model).where(
        *(getattr(entity, name) == bindparam(name) for name in ("organization_id", "id", *within))
    )
    if issubclass(model, SoftDeletable):
        statement = statement.where(entity.deleted_at.is_(None))
    return statement.with_for_update(read=share).execution_options(populate_existing=True)


def create(record: R, **event: Any) -> R:
    """Insert the record and tell the activity log. It is stored, so later rows may refer to it."""
    insert_records([record])
    record_activity(record, "created", **event)
    return record


def create_read(
    record: TenantRecord,
    records: RecordQuery,
    *,
    references: References = MappingProxyType({}),
    custom_fields: str | None = None,
    **event: Any,
) -> Row:
    """`create`, and the record as `records` reads it; nothing may be changed on it afterwards.

    It is checked first, as `check_values` does. Raises Invalid naming the fields.
    """
    check = _Check.of(record.__dict__, references, custom_fields, creating=True)
    if check is not None and check.custom_fields:
        # These may not even have a form in JSON.
        record.__dict__["custom_fields"] = check.run()
        check = None
    fill(record)
    # Before the record, so that one statement writes both.
    record_activity(record, "created", **event)
    if check is None:
        return records.insert(record)
    row, inserted = records.insert_checked(record, check.query, check.passes, **check.asked)
    completed = check.demand(row)
    if inserted:
        return row
    if completed is not None:
        record.__dict__["custom_fields"] = completed
    return records.insert(record)


def change(
    record: TenantRecord,
    values: Mapping[str, Any],
    *,
    children: Collection[str] = (),
    metadata: Mapping[str, Any] | None = None,
    **event: Any,
) -> bool:
    """Set the given values; the log gets the names of those that differ. False if none does.

    `children` names the lists below the record that the caller replaces by others: they are part
    of what its row version stands for, so that nobody overwrites what they have not seen.
    """
    changed = [name for name, value in values.items() if getattr(record, name) != value]
    if not changed and not children:
        return False
    for name in changed:
        setattr(record, name, values[name])
    touch(record)
    told = {**(metadata or {}), "fields": sorted({*changed, *children})}
    record_activity(record, "updated", metadata=told, **event)
    return True


def move(
    record: TenantRecord,
    machine: StateMachine,
    target: str,
    *,
    reason: str | None = None,
    type: str = "status_changed",
    metadata: Mapping[str, Any] | None = None,
    **event: Any,
) -> None:
    """Move the record along its machine and tell the log. It must be locked.

    Raises InvalidTransition naming the moves that are allowed, and Invalid naming `reason` when
    the move needs one. Moving to the state it is in already is refused as well.
    """
    current = getattr(record, machine.column)
    if not machine.allows(current, target):
        allowed = machine.labels(machine.states[current].to)
        moves = ", ".join(allowed) if allowed else "nothing; it is final"
        raise InvalidTransition(
            f"This {machine.name} is {machine.label(current)} and cannot become"
            f" {machine.label(target)}. It can become: {moves}.",
            allowed=allowed,
        )
    if machine.needs_reason(current, target) and not (reason and reason.strip()):
        raise Invalid({"reason": [f"Say why it goes back to {machine.label(target)}."]})
    setattr(record, machine.column, target)
    touch(record)
    told = {**(metadata or {}), **({"reason": reason} if reason else {})}
    record_activity(record, type, from_=current, to=target, metadata=told, **event)


def touch(record: TenantRecord | Organization) -> None:
    """Count the change: row version and time."""
    if isinstance(record, Versioned):
        record.row_version += 1
        record.updated_at = now()


def trash(record: TenantRecord, *, batch_id: UUID | None = None, **event: Any) -> None:
    """Mark the record deleted; the purge takes it after the retention (retention.md, *Purge*)."""
    assert isinstance(record, SoftDeletable)
    record.deleted_at = now()
    record.deletion_batch_id = batch_id or uuid7()
    touch(record)
    record_activity(record, "deleted", **event)


def trash_below(found: Sequence[Below], batch_id: UUID) -> None:
    """Mark everything that goes with a trashed record deleted, as part of its batch."""
    for model, condition in found:
        entity: Any = model
        db.session.execute(
            update(model)
            .where(condition, entity.deleted_at.is_(None))
            .values(deleted_at=now(), deletion_batch_id=batch_id)
            .execution_options(synchronize_session=False)
        )


def restore_below(found: Sequence[Below], batch_id: UUID | None) -> None:
    """Take back exactly what went with the batch."""
    for model, condition in found:
        entity: Any = model
        db.session.execute(
            update(model)
            .where(condition, entity.deletion_batch_id == batch_id)
            .values(deleted_at=None, deletion_batch_id=None)
            .execution_options(synchronize_session=False)
        )


@contextmanager
def refuse_duplicate(constraint: str, field: str, message: str) -> Iterator[None]:
    """Flush what the block did; breaking `constraint` becomes a Conflict that names `field`.

    The unique key decides, not a query before it, which a concurrent request could slip past.
    """
    try:
        yield
        db.session.flush()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != constraint:
            raise
        raise Conflict(message, errors={field: [message]}) from error


def now() -> dt.datetime:
    """The transaction's time by the database's clock; its first statement asked for it."""
    return current_transaction().now


def today() -> dt.date:
    """The transaction's day where the organization is (docs/reference/rulings.md, *Dates*)."""
    return now().astimezone(ZoneInfo(organization_row()["timezone"])).date()


def organization_row() -> Mapping[str, Any]:
    """The organization's time zone and `settings`, asked for once in a transaction."""
    transaction = current_transaction()
    if transaction.organization is None:
        [transaction.organization] = _ORGANIZATION.all(organization_id=current_organization_id())
    return transaction.organization


_ORGANIZATION = CompiledQuery.of(
    select(Organization.timezone, Organization.settings).where(
        Organization.id == bound("organization_id", Organization.id.type)
    )
)


def check_values(
    values: Mapping[str, Any],
    references: References,
    *,
    custom_fields: str | None = None,
    creating: bool = False,
) -> dict[str, Any] | None:
    """Check what only the database knows about `values`, in one statement.

    Each id must name a living record of the tenant in the table that `references` gives, and
    `custom_fields` must keep to the organization's definitions for that kind of record. Returns the
    custom fields, of a new record with their defaults; None where none are asked for.

    Raises Invalid naming each field that does not.
    """
    check = _Check.of(values, references, custom_fields, creating=creating)
    return None if check is None else check.run()


@dataclass(frozen=True, slots=True)
class _Check:
    """What only the database knows about some values, as one row.

    For each field in `tables` the row says whether its id was `found_<field>`; with custom fields
    it has their `definitions` as well.
    """

    tables: _Tables
    custom_fields: Mapping[str, Any] | None
    asked: dict[str, Any]
    creating: bool

    @classmethod
    def of(
        cls,
        values: Mapping[str, Any],
        references: References,
        custom_fields: str | None,
        *,
        creating: bool,
    ) -> _Check | None:
        """The check of these values; None when there is nothing to ask."""
        tables = tuple(
            (name, model) for name, model in references.items() if values.get(name) is not None
        )
        with_custom = custom_fields is not None and bool(creating or "custom_fields" in values)
        if not tables and not with_custom:
            return None
        asked = {name: values[name] for name, _ in tables} | {"entity_type": custom_fields}
        custom = (values.get("custom_fields") or {}) if with_custom else None
        return cls(tables, custom, asked, creating)

    @property
    def query(self) -> CompiledQuery:
        return _check(self.tables, self.custom_fields is not None)

    @property
    def passes(self) -> str:
        """The condition on the row that nothing can be wrong, where no custom field has a value."""
        found = [f"found_{name}" for name, _ in self.tables]
        defined = [] if self.custom_fields is None else ["json_array_length(definitions) = 0"]
        return " AND ".join([*found, *defined])

    def run(self) -> dict[str, Any] | None:
        """Ask the database. Returns and raises what `demand` does."""
        [row] = self.query.all(**self.asked)
        return self.demand(row)

    def demand(self, row: Row) -> dict[str, Any] | None:
        """The custom fields, completed for a new record; None where they are not asked for.

        Raises Invalid naming each field that is wrong by the row.
        """
        errors = {
            name: [f"There is no {model.noun.replace('_', ' ')} with this id."]
            for name, model in self.tables
            if not row[f"found_{name}"]
        }
        custom = None
        if self.custom_fields is not None:
            definitions = row["definitions"]
            given = self.custom_fields
            custom = with_defaults(definitions, given) if self.creating else dict(given)
            errors |= wrong_custom_fields(definitions, custom)
            if not errors and (named := named_users(definitions, custom)):
                errors |= _strangers(named)
        if errors:
            raise Invalid(errors)
        return custom


def _strangers(named: Mapping[str, UUID]) -> dict[str, list[str]]:
    """Those of the named users who are no members of the organization, by the field's key."""
    members = set(
        db.session.scalars(
            select(Membership.user_id).where(
                Membership.organization_id == current_organization_id(),
                Membership.user_id.in_(set(named.values())),
                Membership.deleted_at.is_(None),
            )
        )
    )
    unknown = ["No member of your organization has this id."]
    return {f"custom_fields.{key}": unknown for key, id_ in named.items() if id_ not in members}


@functools.lru_cache(maxsize=1024)
def _check(tables: _Tables, with_custom: bool) -> CompiledQuery:
    """One row: for each field whether its id was found, and the custom fields' definitions."""
    columns: list[ColumnElement[Any]] = []
    for name, model in tables:
        entity: Any = model
        found: Select[Any] = select(literal_column("1")).where(
            entity.id == bound(name, entity.id.type)
        )
        if issubclass(model, SoftDeletable):
            found = found.where(entity.deleted_at.is_(None))
        columns.append(found.exists().label(f"found_{name}"))
    if with_custom:
        columns.append(DEFINITIONS.label("definitions"))
    return CompiledQuery.of(select(*columns))
