"""What Stripe tells: each payment counts once, in whatever order and however often it is told."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest

from tests.support.billing import Billing
from tests.support.stripe_server import WEBHOOK, StripeServer, deliver, signed
from tests.support.tenants import Api, Tenant

COMPLETED = "checkout.session.completed"
SUCCEEDED = "checkout.session.async_payment_succeeded"
FAILED = "checkout.session.async_payment_failed"
EXPIRED = "checkout.session.expired"
REFUNDED = "charge.refunded"


@pytest.fixture
def final(billing: Billing) -> dict[str, Any]:
    return billing.final()


@pytest.fixture
def link(api: Api, final: dict[str, Any]) -> dict[str, Any]:
    return link_to(api, final)


def link_to(api: Api, invoice: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = api.made(f"/api/invoices/{invoice['id']}/payment-link")
    return made


def told(anybody: Api, tenant: Tenant, *events: dict[str, Any]) -> list[bool]:
    """Deliver events, running their jobs after each; whether each was kept."""
    kept = []
    for event in events:
        answer = deliver(anybody, event)
        assert answer.status == 200, answer.text
        kept.append(answer.json["kept"])
        tenant.run_jobs("billing.carry_out_payment_event")
    return kept


def payments(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/payments?sort=created_at").json["data"]
    return found


def status(tenant: Tenant, link: dict[str, Any]) -> str:
    [row] = tenant.rows("SELECT status FROM checkout_sessions WHERE id = %(id)s", id=link["id"])
    found: str = row["status"]
    return found


def test_a_paid_page_is_a_payment_and_settles_the_invoice(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    event = stripe.event(COMPLETED, link)
    assert told(anybody, tenant, event) == [True]
    [payment] = payments(api)
    session = stripe.made_for(link)
    assert (payment["amount"], payment["method"], payment["reference"]) == (
        "119.00", "online", f"pi_{session['id']}",
    )  # fmt: skip
    assert (billing.read(final)["status"], status(tenant, link)) == ("Paid", "paid")
    assert api.post(f"/api/invoices/{final['id']}/payment-link").status == 409


def test_an_acknowledged_event_is_kept_with_its_job_before_anything_is_done(
    anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    assert deliver(anybody, stripe.event(COMPLETED, link)).json == {"kept": True}
    assert tenant.count("payment_events", "processed_at IS NULL") == 1
    waiting = "kind = 'billing.carry_out_payment_event' AND state = 'ready'"
    assert tenant.count("jobs", waiting) == 1
    assert tenant.count("payments") == 0


def test_an_event_that_is_repeated_counts_once(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    event = stripe.event(COMPLETED, link)
    assert told(anybody, tenant, event, event, event) == [True, False, False]
    assert len(payments(api)) == 1
    assert tenant.count("payment_events") == 1


def test_an_event_that_comes_many_times_at_once_is_kept_once(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    event = stripe.event(COMPLETED, link)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: deliver(anybody, event), range(6)))
    assert sorted(answer.json["kept"] for answer in answers) == [False] * 5 + [True]
    tenant.run_jobs("billing.carry_out_payment_event")
    assert len(payments(api)) == 1


def test_a_debit_is_under_way_until_it_has_succeeded(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    told(anybody, tenant, stripe.event(COMPLETED, link, payment_status="unpaid"))
    assert (status(tenant, link), payments(api)) == ("processing", [])
    assert api.post(f"/api/invoices/{final['id']}/payment-link").status == 409
    told(anybody, tenant, stripe.event(SUCCEEDED, link))
    assert (status(tenant, link), billing.read(final)["status"]) == ("paid", "Paid")


def test_after_a_debit_has_failed_there_can_be_another_link(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, final: dict[str, Any],
    link: dict[str, Any],
) -> None:  # fmt: skip
    told(anybody, tenant, stripe.event(COMPLETED, link, payment_status="unpaid"))
    told(anybody, tenant, stripe.event(FAILED, link, payment_status="unpaid"))
    assert (status(tenant, link), payments(api)) == ("failed", [])
    assert link_to(api, final)["url"] != link["url"]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_in_whatever_order_the_events_of_a_payment_come_it_is_one_payment(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any], order: tuple[int, ...],
) -> None:  # fmt: skip
    events = [
        stripe.event(COMPLETED, link, payment_status="unpaid"),
        stripe.event(SUCCEEDED, link),
        stripe.event(EXPIRED, link, payment_status="unpaid"),
        stripe.event(REFUNDED, link, amount_refunded=1900),
    ]
    told(anybody, tenant, *(events[n] for n in order))
    [payment] = payments(api)
    assert (payment["amount"], payment["refunded"]) == ("119.00", "19.00")
    assert (status(tenant, link), billing.read(final)["open"]) == ("paid", "19.00")
    assert tenant.count("payment_events", "processed_at IS NULL") == 0


def test_what_is_told_of_a_debit_that_failed_before_is_no_payment_under_way(
    anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    told(anybody, tenant, stripe.event(FAILED, link, payment_status="unpaid"))
    told(anybody, tenant, stripe.event(COMPLETED, link, payment_status="unpaid"))
    assert status(tenant, link) == "failed"


def test_an_event_that_comes_before_the_answer_of_stripe_is_not_lost(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any],
) -> None:  # fmt: skip
    kept: list[bool] = []

    def paid_at_once(session: dict[str, Any]) -> None:
        stripe.on_create = None
        event = stripe.event(COMPLETED, {"id": session["client_reference_id"]})
        kept.extend(told(anybody, tenant, event))

    stripe.on_create = paid_at_once
    link = link_to(api, final)
    assert kept == [True]
    assert (status(tenant, link), billing.read(final)["status"]) == ("paid", "Paid")


def forged(payload: bytes) -> dict[str, str | None]:
    long_ago = int(time.time()) - 301
    return {
        "another secret": signed(payload, secret="whsec_guess"),
        "another body": signed(payload + b" "),
        "too old": signed(payload, at=long_ago),
        "no time": signed(payload).partition(",")[2],
        "no signature": f"t={int(time.time())}",
        "nonsense": "t=x,v1=ü",
        "an old scheme": signed(payload).replace("v1=", "v2="),
        "none": None,
    }


@pytest.mark.parametrize("how", list(forged(b"")))
def test_a_forged_event_is_refused_and_leaves_nothing(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any], how: str
) -> None:
    payload = json.dumps(stripe.event(COMPLETED, link)).encode()
    header = forged(payload)[how]
    headers = {} if header is None else {"Stripe_Signature": header}
    answer = anybody.post(WEBHOOK, payload, **headers)
    assert (answer.status, answer.json["detail"]) == (400, "The signature does not fit.")
    assert tenant.count("payment_events") == 0


def test_an_event_that_was_caught_and_sent_later_is_refused(
    anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    payload = json.dumps(stripe.event(COMPLETED, link)).encode()
    early = anybody.post(
        WEBHOOK, payload, Stripe_Signature=signed(payload, at=int(time.time()) - 290)
    )
    late = anybody.post(
        WEBHOOK, payload, Stripe_Signature=signed(payload, at=int(time.time()) - 310)
    )
    assert (early.status, late.status) == (200, 400)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "evt_1", "type": "customer.created", "data": {"object": {"id": "cus_1"}}},
        {"id": "evt_2", "type": COMPLETED, "data": {"object": {"id": "cs_1", "metadata": {}}}},
        {"id": "evt_3", "type": COMPLETED, "data": {"object": {"id": "cs_1", "metadata": None}}},
        {"id": "evt_4", "type": COMPLETED, "data": {}},
        {"type": COMPLETED},
        {},
        [],
        1,
    ],
)
def test_what_is_not_about_our_pages_is_acknowledged_and_forgotten(
    anybody: Api, event: Any
) -> None:
    answer = deliver(anybody, event)
    assert (answer.status, answer.json) == (200, {"kept": False})


def test_metadata_alone_proves_nothing(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, other_tenant: Tenant,
    stripe: StripeServer, link: dict[str, Any],
) -> None:  # fmt: skip
    session = stripe.made_for(link)
    other = link_to(api, billing.final())
    foreign = {**session["metadata"], "organization_id": str(other_tenant.id)}
    another = {
        **session["metadata"],
        "invoice_id": stripe.made_for(other)["metadata"]["invoice_id"],
    }
    events = [
        stripe.event(COMPLETED, link, metadata=foreign),
        stripe.event(COMPLETED, link, metadata=another),
        stripe.event(COMPLETED, link, id="cs_test_another"),
        stripe.event(COMPLETED, link, id=stripe.made_for(other)["id"]),
    ]
    assert told(anybody, tenant, *events) == [False] * 4
    assert payments(api) == []


@pytest.mark.parametrize("change", [{"amount_total": 100}, {"currency": "usd"}])
def test_another_amount_than_was_asked_for_is_not_taken_for_the_payment(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any],
    change: dict[str, Any],
) -> None:  # fmt: skip
    told(anybody, tenant, stripe.event(COMPLETED, link, **change))
    told(anybody, tenant, stripe.event(SUCCEEDED, link, **change))
    assert payments(api) == []
    assert tenant.count("payment_events", "outcome = 'mismatch'") == 2


def test_what_comes_for_an_invoice_that_was_paid_meanwhile_is_the_client_s_credit(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    billing.pay(final, "100.00", reference="by transfer")
    told(anybody, tenant, stripe.event(COMPLETED, link))
    online = payments(api)[-1]
    assert (online["allocated"], online["credit"]) == ("19.00", "100.00")
    assert online["client_company_id"] == billing.company["id"]
    assert billing.read(final)["status"] == "Paid"


def test_what_comes_for_a_void_invoice_is_the_client_s_credit(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    billing.act(final, "void")
    told(anybody, tenant, stripe.event(COMPLETED, link))
    [payment] = payments(api)
    assert (payment["credit"], payment["client_company_id"]) == ("119.00", billing.company["id"])


def test_a_link_that_was_replaced_and_is_paid_all_the_same_is_a_payment(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    billing.pay(final, "19.00")
    newer = link_to(api, final)
    told(anybody, tenant, stripe.event(COMPLETED, link), stripe.event(COMPLETED, newer))
    assert [p["credit"] for p in payments(api)] == ["0.00", "19.00", "100.00"]
    assert billing.read(final)["status"] == "Paid"


def test_a_payment_that_somebody_recorded_by_hand_is_not_counted_again(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    billing.pay(final, "119.00", reference=f"pi_{stripe.made_for(link)['id']}")
    told(anybody, tenant, stripe.event(COMPLETED, link))
    assert len(payments(api)) == 1
    assert status(tenant, link) == "paid"


def test_refunds_follow_stripe_as_far_as_they_were_not_recorded_by_hand(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    told(anybody, tenant, stripe.event(COMPLETED, link))
    [payment] = payments(api)
    path = f"/api/payments/{payment['id']}"
    api.made(f"{path}/refund", {"amount": "10.00", "reason": "Agreed by phone"})
    first = stripe.event(REFUNDED, link, amount_refunded=1000)
    more = stripe.event(REFUNDED, link, amount_refunded=2500)
    told(anybody, tenant, first)
    assert api.get(path).json["refunded"] == "10.00"
    told(anybody, tenant, more, more, stripe.event(REFUNDED, link, amount_refunded=1500))
    found = api.get(path).json
    assert [r["amount"] for r in found["refunds"]] == ["10.00", "15.00"]
    assert (found["refunded"], billing.read(final)["open"]) == ("25.00", "25.00")


def test_refunds_that_are_told_before_the_payment_and_out_of_order_are_all_recorded(
    api: Api, anybody: Api, tenant: Tenant, stripe: StripeServer, link: dict[str, Any]
) -> None:
    for amount in (2500, 1500):
        told(anybody, tenant, stripe.event(REFUNDED, link, amount_refunded=amount))
    told(anybody, tenant, stripe.event(COMPLETED, link))
    assert [p["refunded"] for p in payments(api)] == ["25.00"]


def test_a_payment_that_was_given_back_in_part_is_not_paid_again(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer,
    final: dict[str, Any], link: dict[str, Any],
) -> None:  # fmt: skip
    """Its session counts, whatever the next event calls the payment."""
    told(anybody, tenant, stripe.event(COMPLETED, link))
    told(anybody, tenant, stripe.event(REFUNDED, link, amount_refunded=1900))
    told(anybody, tenant, stripe.event(SUCCEEDED, link, payment_intent="pi_another"))
    assert len(payments(api)) == 1
    assert billing.read(final)["open"] == "19.00"


def test_a_payment_in_a_currency_without_cents_is_recorded_whole(
    api: Api, anybody: Api, billing: Billing, tenant: Tenant, stripe: StripeServer
) -> None:
    final = billing.final("1000.00", currency="JPY")
    link = link_to(api, final)
    told(anybody, tenant, stripe.event(COMPLETED, link))
    told(anybody, tenant, stripe.event(REFUNDED, link, amount_refunded=190))
    [payment] = payments(api)
    assert (payment["amount"], payment["currency"], payment["refunded"]) == (
        "1190.00", "JPY", "190.00",
    )  # fmt: skip
