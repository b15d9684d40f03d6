"""API keys: what leaked is revoked, what gets old is rotated, and what is used is seen."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import pytest

from tests.support.tenants import Api, Tenant, eventually
from webapp.core import key_uses
from webapp.services.common.exceptions import Conflict, Invalid
from webapp.services.identity import keys

HOUR = dt.timedelta(hours=1)


def id_of(key: str) -> UUID:
    return UUID(key.split("_")[2])


def works(api: Api, key: str) -> bool:
    status = api.get("/api/companies", Authorization=f"Bearer {key}").status
    assert status in (200, 401)
    return status == 200


def test_a_leaked_key_is_refused_as_soon_as_it_is_revoked(tenant: Tenant, api: Api) -> None:
    leaked = tenant.key("member")
    assert works(api, leaked)
    tenant.run(lambda: keys.revoke_api_key(id_of(leaked)))
    assert not works(api, leaked)
    with pytest.raises(Conflict):
        tenant.run(lambda: keys.revoke_api_key(id_of(leaked)))


def test_a_rotated_key_is_replaced_at_once_by_one_with_the_same_rights(
    tenant: Tenant, api: Api
) -> None:
    old = tenant.key("admin", ("crm:read",))
    record, new = tenant.run(lambda: keys.rotate_api_key(id_of(old)))
    assert (record.role, record.scopes) == ("admin", ["crm:read"])
    assert works(api, new)
    assert not works(api, old)


def test_with_an_overlap_both_keys_work_until_it_is_over(tenant: Tenant, api: Api) -> None:
    old = tenant.key("viewer")
    _, new = tenant.run(lambda: keys.rotate_api_key(id_of(old), overlap=HOUR))
    assert works(api, old)
    assert works(api, new)
    tenant.rows(
        "UPDATE credentials SET expires_at = expires_at - interval '61 minutes'"
        " WHERE id = %(id)s RETURNING id",
        id=id_of(old),
    )
    assert not works(api, old)
    assert works(api, new)


def test_an_overlap_does_not_prolong_a_key(tenant: Tenant) -> None:
    end = dt.datetime.now(dt.UTC) + HOUR
    record, _ = tenant.run(lambda: keys.create_api_key("x", role="viewer", expires_at=end))
    tenant.run(lambda: keys.rotate_api_key(record.id, overlap=24 * HOUR))
    [old] = [key for key in tenant.run(keys.list_api_keys) if key["id"] == record.id]
    assert old["expires_at"] == end


def test_a_key_that_has_expired_already_is_not_made(tenant: Tenant) -> None:
    past = dt.datetime.now(dt.UTC) - HOUR
    with pytest.raises(Invalid, match="expires_at"):
        tenant.run(lambda: keys.create_api_key("x", role="viewer", expires_at=past))


def test_a_key_that_expires_is_replaced_by_one_that_lasts_as_long(tenant: Tenant) -> None:
    ends = dt.datetime.now(dt.UTC) + 24 * HOUR
    old, _ = tenant.run(lambda: keys.create_api_key("Short", role="viewer", expires_at=ends))
    tenant.rows(
        "UPDATE api_keys SET created_at = created_at - interval '12 hours',"
        " expires_at = expires_at - interval '12 hours' WHERE id = %(id)s RETURNING id",
        id=old.id,
    )
    new, _ = tenant.run(lambda: keys.rotate_api_key(old.id))
    assert new.expires_at is not None
    assert abs(new.expires_at - ends) < dt.timedelta(minutes=1)


def test_another_organizations_key_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    theirs = id_of(other_tenant.key("viewer"))
    assert theirs not in {key["id"] for key in tenant.run(keys.list_api_keys)}
    for act in (keys.revoke_api_key, keys.rotate_api_key):
        with pytest.raises(Exception, match="There is no api key with this id"):
            tenant.run(lambda act=act: act(theirs))


def test_the_list_tells_when_a_key_was_used_and_whether_it_works(
    tenant: Tenant, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_uses, "COLLECT_SECONDS", 0.05)
    used, unused = tenant.key("viewer"), tenant.key("member")
    tenant.run(lambda: keys.revoke_api_key(id_of(unused)))

    def listed(key: str) -> dict[str, object]:
        [row] = [row for row in tenant.run(keys.list_api_keys) if row["id"] == id_of(key)]
        return row

    assert listed(used)["last_used_at"] is None
    assert works(api, used)
    first = eventually(lambda: listed(used)["last_used_at"], 10)
    assert (listed(used)["state"], listed(unused)["state"]) == ("active", "revoked")
    assert listed(unused)["last_used_at"] is None
    assert works(api, used)
    assert listed(used)["last_used_at"] == first, "once a minute is enough"
