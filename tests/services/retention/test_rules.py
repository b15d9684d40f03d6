"""The rules of the purge fit the tables (retention.md, *Purge*)."""

from __future__ import annotations

from models.db.base import Base, SoftDeletable, uuid7
from tests.support.tenants import Tenant
from webapp.services.retention import purge as deletion
from webapp.services.retention import rules as retention


def test_every_kind_of_record_that_can_be_trashed_has_its_rule() -> None:
    models = [mapper.class_ for mapper in Base.registry.mappers]
    trashable = {model for model in models if issubclass(model, SoftDeletable)}
    assert {rule.model for rule in retention.RULES} == trashable


def test_every_rule_runs_on_the_real_tables(tenant: Tenant) -> None:
    """Each statement of the table is sent once, for records that are not there."""

    def work() -> list[int]:
        values = {**deletion._ends_of_retention(), "ids": [uuid7()]}
        taken = [len(deletion._take(rule, 1, values)) for rule in retention.RULES]
        gone = [
            deletion._delete(model, condition, 1, values)
            for rule in retention.RULES
            for model, condition in rule.below
        ]
        return [*taken, *gone]

    assert set(tenant.run(work)) == {0}
