"""Payment links: one living page for the open amount, whatever Stripe does meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.billing import Billing
from tests.support.stripe_server import StripeServer, failure
from tests.support.tenants import Api, Tenant
from webapp.config import Settings, SettingsError


def link_to(api: Api, invoice: dict[str, Any], **headers: str) -> Any:
    return api.post(f"/api/invoices/{invoice['id']}/payment-link", **headers)


def amounts_asked(stripe: StripeServer, invoice: dict[str, Any]) -> list[tuple[int, str]]:
    """What Stripe was asked to take for the invoice, page by page."""
    made = [s for s in stripe.sessions.values() if s["metadata"]["invoice_id"] == invoice["id"]]
    return [(session["amount_total"], session["currency"]) for session in made]


def test_a_link_is_made_for_the_open_amount_and_returned_while_it_lives(
    api: Api, billing: Billing, stripe: StripeServer
) -> None:
    final = billing.final()
    billing.pay(final, "19.00")
    first, again = link_to(api, final), link_to(api, final)
    assert (first.status, again.status) == (200, 200), first.text
    assert first.json == again.json
    assert (first.json["amount"], first.json["currency"]) == ("100.00", "EUR")
    assert first.json["url"] == stripe.made_for(first.json)["url"]
    assert first.json["expires_at"]
    assert amounts_asked(stripe, final) == [(10_000, "eur")]
    [asked] = [f for p, f in stripe.requests if f.get("client_reference_id") == first.json["id"]]
    assert asked["customer_email"] == "robin@juniper.example"
    assert asked["line_items[0][price_data][product_data][name]"] == f"Invoice {final['number']}"
    assert asked["success_url"].endswith("/paid")
    assert api.get("/paid").status == 200


@pytest.mark.parametrize(
    ("currency", "prices", "minor"),
    [
        ("USD", ("100.50",), 11960),
        ("JPY", ("100.00",), 119),
        ("KRW", ("1000000.00",), 1_190_000),
        ("KWD", ("100.50",), 119_600),
        ("BHD", ("0.10",), 120),
        ("ISK", ("100.00",), 11_900),
    ],
)
def test_amounts_are_sent_in_the_smallest_unit_of_their_currency(
    api: Api, billing: Billing, stripe: StripeServer, currency: str, prices: Any, minor: int
) -> None:
    final = billing.final(*prices, currency=currency)
    assert link_to(api, final).status == 200
    assert amounts_asked(stripe, final) == [(minor, currency.lower())]


@pytest.mark.parametrize(
    ("currency", "price"), [("JPY", "100.50"), ("ISK", "0.50"), ("UGX", "100.00")]
)
def test_what_a_currency_cannot_express_is_not_paid_online(
    api: Api, billing: Billing, stripe: StripeServer, currency: str, price: str
) -> None:
    final = billing.final(price, currency=currency)
    answer = link_to(api, final)
    assert answer.status == 409
    assert f"{currency} cannot be paid online" in answer.json["detail"]
    assert amounts_asked(stripe, final) == []


def test_a_link_for_another_amount_is_replaced_and_its_page_closed(
    api: Api, billing: Billing, tenant: Tenant, stripe: StripeServer
) -> None:
    final = billing.final()
    first = link_to(api, final).json
    billing.pay(final, "100.00")
    second = link_to(api, final).json
    assert (second["amount"], second["id"] != first["id"]) == ("19.00", True)
    tenant.run_jobs("billing.expire_checkout")
    assert stripe.made_for(first)["status"] == "expired"
    assert stripe.made_for(second)["status"] == "open"


def test_a_page_that_was_paid_meanwhile_is_not_closed_and_its_job_ends(
    api: Api, billing: Billing, tenant: Tenant, stripe: StripeServer
) -> None:
    final = billing.final()
    first = link_to(api, final).json
    stripe.made_for(first)["status"] = "complete"
    billing.pay(final, "1.00")
    link_to(api, final)
    tenant.run_jobs("billing.expire_checkout")
    assert stripe.made_for(first)["status"] == "complete"
    assert tenant.count("jobs", "kind = 'billing.expire_checkout' AND state = 'done'") == 1


def test_a_link_that_is_about_to_end_is_made_anew(
    api: Api, billing: Billing, tenant: Tenant, stripe: StripeServer
) -> None:
    final = billing.final()
    first = link_to(api, final).json
    tenant.rows(
        "UPDATE checkout_sessions SET expires_at = now() + interval '29 minutes'"
        " WHERE organization_id = %(organization_id)s RETURNING id"
    )
    second = link_to(api, final).json
    assert second["url"] != first["url"]


def test_nothing_is_paid_of_what_is_settled_void_or_a_draft(api: Api, billing: Billing) -> None:
    paid, void, draft = billing.final(), billing.final(), billing.draft()
    billing.pay(paid, "119.00")
    billing.act(void, "void")
    for invoice in (paid, void, draft):
        assert link_to(api, invoice).status == 409


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_stripe_is_away_there_is_no_link_and_the_next_try_makes_one_page(
    api: Api, billing: Billing, stripe: StripeServer, status: int
) -> None:
    final = billing.final()
    stripe.failures[:] = [(status, failure("api_error", "Away"))] * 2
    away = link_to(api, final, Idempotency_Key=f"once-{status}")
    stripe.failures.clear()
    assert away.status == 503, away.text
    assert away.headers["Retry-After"]
    made = link_to(api, final, Idempotency_Key=f"once-{status}")
    assert (made.status, made.json["amount"]) == (200, "119.00")
    assert made.json["url"]
    assert len(amounts_asked(stripe, final)) == 1
    assert link_to(api, final).json == made.json


def test_what_stripe_refuses_is_told_and_the_next_try_is_another(
    api: Api, billing: Billing, stripe: StripeServer
) -> None:
    final = billing.final()
    said = "Amount must be at least 0.50 eur"
    stripe.failures[:] = [(400, failure("invalid_request_error", said, "amount_too_small"))]
    refused = link_to(api, final)
    assert (refused.status, said in refused.json["detail"]) == (409, True)
    assert link_to(api, final).status == 200


def test_a_wrong_key_is_not_told(api: Api, billing: Billing, stripe: StripeServer) -> None:
    final = billing.final()
    wrong = failure("invalid_request_error", "Invalid API Key provided: sk_test_secret")
    stripe.failures[:] = [(401, wrong)]
    answer = link_to(api, final)
    assert answer.status == 503
    assert "sk_test" not in answer.text


def test_many_who_ask_at_once_get_one_page(
    api: Api, billing: Billing, stripe: StripeServer, tenant: Tenant
) -> None:
    final = billing.final()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: link_to(api, final), range(6)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["url"] for answer in answers}) == 1
    assert len(amounts_asked(stripe, final)) == 1
    assert tenant.count("checkout_sessions") == 1


def test_who_may_not_write_bills_makes_no_link(api: Api, billing: Billing, tenant: Tenant) -> None:
    final = billing.final()
    viewer = Api(app=api.app, api_key=tenant.key("viewer"))
    assert link_to(viewer, final).status == 403


def test_nobody_makes_a_link_for_another_organizations_invoice(
    api: Api, billing: Billing, other_tenant: Tenant, stripe: StripeServer
) -> None:
    final = billing.final()
    assert link_to(Api(app=api.app, api_key=other_tenant.api_key), final).status == 404
    assert amounts_asked(stripe, final) == []


def test_key_and_secret_are_set_together_and_not_printed() -> None:
    env = {
        "SECRET_KEY": "x" * 32,
        "DATABASE_URL": "postgresql://owner@127.0.0.1/x",
        "REDIS_URL": "redis://127.0.0.1",
        "STRIPE_API_KEY": "sk_test_secret",
        "STRIPE_API_URL": "ftp://x",
    }
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(env)
    assert "STRIPE_WEBHOOK_SECRET" in str(refused.value)
    assert "STRIPE_API_URL" in str(refused.value)
    more = {"STRIPE_WEBHOOK_SECRET": "whsec_secret", "STRIPE_API_URL": "http://127.0.0.1:1/"}
    settings = Settings.from_environment(env | more)
    assert settings.stripe_api_url == "http://127.0.0.1:1"
    assert "_secret" not in repr(settings).replace("stripe_webhook_secret", "")
