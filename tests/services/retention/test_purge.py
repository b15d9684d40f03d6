"""The purge takes what its retention is over for, and nothing else (retention.md, *Purge*)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from models.db.base import db
from tests.support.retention import age, change, purge, settle, signed_engagement, trashed
from tests.support.tenants import Api, Tenant


@pytest.fixture
def company(api: Api) -> Callable[[str], UUID]:
    return lambda name: UUID(api.made("/api/companies", {"name": name})["id"])


def test_only_what_was_trashed_longer_ago_than_the_retention_goes(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    old, recent, living = company("Old"), company("Recent"), company("Living")
    age(tenant, "client_companies", 31, "id = :id", id=old)
    age(tenant, "client_companies", 29, "id = :id", id=recent)
    assert purge(tenant) == {"client_companies": 1}
    left = tenant.rows(
        "SELECT id FROM client_companies WHERE organization_id = %(organization_id)s"
    )
    assert {row["id"] for row in left} == {recent, living}


def test_the_organizations_own_retention_counts(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    age(tenant, "client_companies", 10, "id = :id", id=company("Old"))
    assert purge(tenant) == {}
    change(tenant, "UPDATE organizations SET retention_days = 7 WHERE id = :org")
    assert purge(tenant) == {"client_companies": 1}


def test_another_organizations_trash_is_not_touched(
    tenant: Tenant, other_tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    age(tenant, "client_companies", 31, "id = :id", id=company("Old"))
    assert purge(other_tenant) == {}
    assert tenant.count("client_companies") == 1


def test_a_run_is_bounded_and_asks_for_the_next_until_all_is_gone(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    for number in range(5):
        company(f"Old {number}")
    age(tenant, "client_companies", 31)
    assert purge(tenant, 2) == {"client_companies": 2}
    assert tenant.count("jobs", "kind = 'deletion.purge' AND state = 'ready'") == 1
    assert purge(tenant, 2) == {"client_companies": 2}
    assert purge(tenant, 2) == {"client_companies": 1}
    # The two runs that reached their bound asked for another, the third did not.
    assert tenant.count("jobs", "kind = 'deletion.purge'") == 2
    tenant.run_jobs("deletion.purge")
    assert tenant.count("jobs", "kind = 'deletion.purge' AND state = 'done'") == 2


def test_children_go_before_their_parents_inside_the_bound(tenant: Tenant, api: Api) -> None:
    trashed(tenant, api, 400)
    settle(tenant)
    projects = tenant.count("projects")
    assert projects == 3
    while counts := purge(tenant, 2):
        assert sum(counts.values()) <= 2
        if tenant.count("messages"):
            assert tenant.count("conversations") == 3
        if tenant.count("phase_changes") or tenant.count("conversations"):
            assert tenant.count("projects") == 3 - counts.get("projects", 0)
    assert tenant.count("projects") == tenant.count("messages") == 0


def test_a_project_trashed_by_itself_goes_although_money_keeps_its_engagement(
    tenant: Tenant, api: Api
) -> None:
    engagement = signed_engagement(tenant, api)
    api.delete(f"/api/projects/{engagement['projects'][0]['id']}")
    for table in ("projects", "conversations", "messages"):
        age(tenant, table, 31, "deleted_at IS NOT NULL")
    counts = purge(tenant)
    assert counts["projects"] == counts["conversations"] == counts["messages"] == 1


def test_a_message_trashed_by_itself_goes_alone(tenant: Tenant, api: Api) -> None:
    signed_engagement(tenant, api)
    [message, *_] = tenant.rows(
        "SELECT id FROM messages WHERE organization_id = %(organization_id)s"
    )
    age(tenant, "messages", 31, "id = :id", id=message["id"])
    assert purge(tenant) == {"messages": 1}


def test_a_trashed_draft_goes_with_its_link_and_a_signed_proposal_stays(
    tenant: Tenant, api: Api
) -> None:
    signed_engagement(tenant, api)
    settle(tenant)  # not the signature's age keeps it, but the order of a living engagement
    waiting = api.send_proposal()
    age(tenant, "proposals", 31)
    counts = purge(tenant)
    assert counts == {
        "credentials": 1,
        "signing_links": 1,
        "proposal_versions": 1,
        "proposal_items": 3,
        "proposals": 1,
    }
    left = tenant.rows("SELECT id FROM proposals WHERE organization_id = %(organization_id)s")
    assert waiting["id"] not in {str(row["id"]) for row in left}
    assert tenant.count("signatures") == 1


def test_what_somebody_holds_is_left_for_the_next_run(
    tenant: Tenant, company: Callable[[str], UUID]
) -> None:
    company("Old")
    age(tenant, "client_companies", 31)

    def held() -> dict[str, int]:
        db.session.execute(text("SELECT id FROM client_companies FOR UPDATE"))
        with ThreadPoolExecutor(1) as other:
            return other.submit(purge, tenant).result(10)

    assert tenant.run(held) == {}
    assert purge(tenant) == {"client_companies": 1}


def test_an_engagement_whose_purge_has_begun_is_not_restored_by_halves(
    tenant: Tenant, api: Api
) -> None:
    engagement = trashed(tenant, api, 400)
    settle(tenant)
    assert sum(purge(tenant, 4).values()) == 4
    assert tenant.count("engagements") == 1, "it is not through yet"
    answer = api.post(f"/api/engagements/{engagement['id']}/restore")
    assert answer.status == 409
    assert "deletion has begun" in answer.json["detail"]
    assert tenant.count("projects", "deleted_at IS NULL") == 0
    while purge(tenant, 4):
        pass
    assert tenant.count("engagements") == 0
