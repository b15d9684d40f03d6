"""Whatever can be chosen and however it is billed: what is signed is carried out to the cent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.support.tenants import Api, Tenant, a_proposal, a_signature

pytestmark = pytest.mark.long

EXAMPLES = 30
TODAY = dt.datetime.now(dt.UTC).date()

prices = st.one_of(
    st.sampled_from(["0.00", "0.01", "0.03", "333.33", "4999999999.99"]),
    st.decimals(0, 10_000, places=2).map(str),
)
taxes = st.sampled_from(
    [None, ("standard", "19.00"), ("reduced", "7.00"), ("zero", "0.00"), ("exempt", "0.00")]
)
quantities = st.integers(1, 12)
# How far a quantity may be set below and above what is offered; what is out of order is refused.
below = st.sampled_from([None, None, 0, 1, 5, -1])
above = st.sampled_from([None, None, 0, 3, 5, -1])
discounts = st.one_of(st.sampled_from(["0.00", "0.01", "0.02"]), prices)
items = st.lists(
    st.fixed_dictionaries(
        {
            "price": prices,
            "quantity": quantities,
            "optional": st.booleans(),
            "below": below,
            "above": above,
            "tax": taxes,
        }
    ),
    min_size=1,
    max_size=4,
)
days = st.integers(-30, 400)
milestone = st.tuples(st.integers(1, 60), st.one_of(days, st.none()))
terms = st.one_of(
    st.none(),
    st.builds(lambda n: {"kind": "once", "starts_on": _day(n)}, days),
    st.builds(
        lambda percent, n: {
            "kind": "deposit",
            "deposit_percent": percent,
            "rest_after_days": abs(n),
        },
        st.integers(1, 99),
        days,
    ),
    st.builds(
        lambda percent, n: {
            "kind": "milestones",
            "milestones": [
                {"name": "First", "percent": percent},
                {"name": "Second", "percent": 100 - percent, "on": _day(n)},
            ],
        },
        st.integers(1, 99),
        days,
    ),
    st.builds(
        lambda kind, periods: {"kind": kind, "periods": periods},
        st.sampled_from(["monthly", "quarterly", "yearly"]),
        st.integers(1, 120),
    ),
)


def _day(n: int) -> str:
    return (TODAY + dt.timedelta(days=n)).isoformat()


def _item(n: int, drawn: dict[str, Any]) -> dict[str, Any]:
    item = {name: drawn[name] for name in ("price", "quantity", "optional")}
    if drawn["below"] is not None:
        item["min_quantity"] = max(1, drawn["quantity"] - drawn["below"])
    if drawn["above"] is not None:
        item["max_quantity"] = max(1, drawn["quantity"] + drawn["above"])
    if drawn["tax"] is not None:
        item["tax_category"], item["tax_rate"] = drawn["tax"]
    return {"name": f"Item {n}", **item}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    drawn=items,
    discount=discounts,
    billing=terms,
    chosen=st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), quantities)), max_size=4),
)
def test_what_is_chosen_and_accepted_is_ordered_delivered_and_billed_to_the_cent(
    api: Api,
    tenant: Tenant,
    drawn: list[dict[str, Any]],
    discount: str,
    billing: dict[str, Any] | None,
    chosen: list[tuple[int, int | None]],
) -> None:
    body = a_proposal(
        items=[_item(n, each) for n, each in enumerate(drawn)], discount=discount, billing=billing
    )
    draft = api.post("/api/proposals", body)
    if draft.status != 201:
        event("refused when drafted")
        assert draft.status == 422
        assert "ck_" not in draft.text
        return
    path = f"/api/proposals/{draft.json['id']}"
    sent = api.made(f"{path}/send")
    ids = [item["id"] for item in sent["items"]]
    selection = [
        {"id": ids[n], **({} if quantity is None else {"quantity": quantity})}
        for n, quantity in chosen
        if n < len(ids)
    ]
    preview = api.post(f"{path}/preview-signature", {"selection": selection})
    token = sent["signing_url"].rsplit("/", 1)[1]
    signed = api.post(
        f"/api/public/proposals/{token}/sign",
        a_signature(sent["content_sha256"], selection=selection),
        Prefer="respond-async",
    )
    if signed.status != 202:
        event("refused when signed")
        assert (signed.status, preview.status) == (422, 422)
        assert signed.json["errors"] == preview.json["errors"]
        return
    event("signed")
    tenant.run_jobs("sales.fulfil_signature")
    proposal = api.get(path).json
    order = api.get(f"/api/orders/{proposal['converted_order_id']}").json
    assert order["total"] == proposal["total"] == preview.json["order"]["total"]
    bought = sum((Decimal(item["total"]) for item in order["items"]), Decimal(0))
    assert bought - Decimal(order["discount"]) == Decimal(order["total"])
    to_come = preview.json["invoices"]
    assert sum((Decimal(each["amount"]) for each in to_come), Decimal(0)) == Decimal(order["total"])
    drafts = api.get(f"/api/invoices?engagement_id={order['engagement_id']}").json["data"]
    due_now = [each for each in to_come if each["date"] == to_come[0]["date"]]
    if to_come[0]["date"] == _day(0):
        expected = sum((Decimal(each["amount"]) for each in due_now), Decimal(0))
        assert [Decimal(each["subtotal"]) for each in drafts] == [expected]
    else:
        assert drafts == []
