"""What the API lets be signed it carries out; what it could not, it refuses and says why."""

from __future__ import annotations

import secrets as random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from models.catalog import MAX_DUE_OFFSET_DAYS
from models.db.base import db, uuid7
from tests.support.tenants import Answer, Api, Tenant, a_proposal, a_signature

pytestmark = pytest.mark.long

EXAMPLES = 40
MOST = Decimal("9999999999.99")

EXTREME_NAMES = ["x", "x" * 255, "é漢😀" * 85, " " * 254 + "x", "x" + " " * 254, "'; --\\\"%s{}"]
names = st.one_of(
    st.sampled_from(EXTREME_NAMES),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255
    ).filter(lambda name: any(c > " " and c.isprintable() for c in name)),
)
prices = st.one_of(
    st.sampled_from(["0.00", "0.01", "1.00", "99999.99", "4999999999.99", str(MOST)]),
    st.decimals(0, 1_000_000, places=2).map(str),
)
quantities = st.sampled_from([1, 1, 1, 2, 3, 100_000])
currencies = st.sampled_from(["EUR", "USD", "XXX"])
items = st.lists(
    st.fixed_dictionaries(
        {"name": names, "price": prices, "quantity": quantities, "planned": st.booleans()},
        optional={"description": st.sampled_from([None, "", "d" * 20_000])},
    ),
    max_size=4,
)
clients = st.fixed_dictionaries(
    {
        "first_name": names,
        "last_name": names,
        "company": st.one_of(st.none(), st.just("A"), names),
    }
)
engagements = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "total_value": st.one_of(st.none(), prices),
            "currency": currencies,
            "company": st.sampled_from([None, "A"]),
            "status": st.sampled_from(["Active", "Paused"]),
        }
    ),
)


def _planned_service(api: Api, tenant: Tenant) -> str:
    """The id of a service whose plan is as long as can be."""
    template = uuid7()

    def plan() -> None:
        values = {"o": tenant.id, "t": template, "days": MAX_DUE_OFFSET_DAYS, "name": "n" * 255}
        for statement in (
            "INSERT INTO project_templates (organization_id, id, name) VALUES (:o, :t, :name)",
            "INSERT INTO project_template_milestones (organization_id, id, project_template_id,"
            " name, due_offset_days) VALUES (:o, gen_random_uuid(), :t, :name, :days)",
            "INSERT INTO project_template_tasks (organization_id, id, project_template_id,"
            " name, due_offset_days) VALUES (:o, gen_random_uuid(), :t, :name, :days)",
        ):
            db.session.execute(text(statement), values)

    tenant.run(plan)
    fields = {"name": "Planned", "price": "1.00", "currency": "EUR"}
    made = api.made("/api/services", {**fields, "project_template_id": str(template)})
    return str(made["id"])


@pytest.fixture
def service(api: Api, tenant: Tenant) -> str:
    return _planned_service(api, tenant)


def _says_why(answer: Answer) -> bool:
    """A refusal in the caller's terms; a constraint's name is none."""
    problem = answer.json
    return answer.status == 422 and bool(problem["errors"]) and "ck_" not in answer.text


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=names,
    currency=currencies,
    drafted=items,
    client=clients,
    engagement=engagements,
    filled=st.one_of(st.none(), st.just(str(MOST)), prices),
    allow=st.booleans(),
)
def test_what_is_accepted_for_signing_is_carried_out(
    api: Api,
    tenant: Tenant,
    service: str,
    name: str,
    currency: str,
    drafted: list[dict[str, Any]],
    client: dict[str, Any],
    engagement: dict[str, Any] | None,
    filled: str | None,
    allow: bool,
) -> None:
    """`filled` is what the engagement's total becomes between sending and signing."""
    body = a_proposal(name=name, currency=currency, allow_other_company=allow)
    body["items"] = [
        {**{k: v for k, v in item.items() if k != "planned"},
         **({"service_id": service} if item["planned"] else {})}
        for item in drafted
    ]  # fmt: skip
    body["contact"] |= {key: client[key] for key in ("first_name", "last_name")}
    body.pop("client_company")
    if client["company"] is not None:
        body["client_company"] = {"name": client["company"]}
    if engagement is not None:
        fields = {**engagement, "name": "Existing"}
        if fields.pop("company") == "A":
            company = a_proposal(name="A", client_company={"name": "A"}, items=[])
            fields["client_company_id"] = api.made("/api/proposals", company)["client_company_id"]
        body["engagement_id"] = api.made("/api/engagements", fields)["id"]

    draft = api.post("/api/proposals", body)
    if draft.status != 201:
        event("refused when drafted")
        assert _says_why(draft), draft.text
        return
    path = f"/api/proposals/{draft.json['id']}"
    preview = api.post(f"{path}/preview-signature")
    sent = api.post(f"{path}/send")
    assert preview.status == sent.status, (preview.text, sent.text)
    if sent.status != 200:
        event("refused when sent")
        assert _says_why(sent), sent.text
        return
    if engagement is not None and filled is not None:
        change = {"total_value": filled, "currency": engagement["currency"]}
        assert api.put(f"/api/engagements/{body['engagement_id']}", change).status == 200
    preview = api.post(f"{path}/preview-signature")
    token = sent.json["signing_url"].rsplit("/", 1)[1]
    signed = api.post(
        f"/api/public/proposals/{token}/sign",
        a_signature(sent.json["content_sha256"]),
        Prefer="respond-async",
        Idempotency_Key=random.token_hex(8),
    )
    if signed.status != 202:
        event("refused when signed")
        assert _says_why(signed), signed.text
        assert preview.status == 422, preview.text
        return
    event("signed")
    assert preview.status == 200, preview.text
    tenant.run_jobs("sales.fulfil_signature")
    assert tenant.count("jobs", "kind = 'sales.fulfil_signature' AND state <> 'done'") == 0
    proposal = api.get(path).json
    assert proposal["converted_order_id"] is not None
    assert preview.json["order"]["total"] == proposal["total"]
    assert tenant.count("engagements", "id = %(id)s", id=proposal["converted_engagement_id"]) == 1
    projects = api.get(f"/api/public/proposals/{token}/result").json["projects"]
    assert [project["name"] for project in projects] == [item["name"] for item in body["items"]]
