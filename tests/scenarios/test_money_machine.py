"""Any sequence of calls about money, against a small model of what is owed and what was paid."""

from __future__ import annotations

import contextlib
import os
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.billing import TAXED, Billing, ready_to_bill
from tests.support.tenants import Api, Tenant

pytestmark = pytest.mark.long

D = Decimal
ZERO = D(0)
CENTS = st.integers(min_value=1, max_value=30_000).map(lambda cents: f"{D(cents) / 100:.2f}")
HOW = st.sampled_from(["a cent", "a part", "all", "more"])
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))


def of(whole: Decimal, how: str) -> str:
    """An amount as it is sent: so much of the whole, a cent at least."""
    wanted = {"a cent": D("0.01"), "a part": whole / 3, "all": whole, "more": whole + 5}[how]
    return f"{max(wanted.quantize(D('0.01')), D('0.01')):.2f}"


class Owed:
    """What the model knows of an invoice."""

    def __init__(self, id_: str, net: Decimal) -> None:
        self.id = id_
        self.total = net + (net * D("0.19")).quantize(D("0.01"), "ROUND_HALF_UP")
        self.number: str | None = None
        self.status = "Draft"
        self.paid = self.credited = ZERO

    @property
    def open(self) -> Decimal:
        return self.total - self.paid - self.credited

    def settle(self) -> None:
        if self.status in ("Open", "Uncollectible") and self.open == 0:
            self.status = "Paid"
        elif self.status == "Paid" and self.open > 0:
            self.status = "Open"


class Money(RuleBasedStateMachine):
    """Invoices and payments of one client; each answer and each sum is compared with the model."""

    app: Flask
    invoices = Bundle("invoices")
    payments = Bundle("payments")

    @initialize()
    def start(self) -> None:
        self.tenant = Tenant.create(self.app)
        api = Api(app=self.app, api_key=self.tenant.api_key)
        self.billing: Billing = ready_to_bill(api, self.tenant)
        self.owed: dict[str, Owed] = {}
        self.held: dict[str, dict[str, Any]] = {}  # payments: amount, refunded, parts by invoice
        self.numbers = 0

    def call(self, path: str, body: Any = None) -> Any:
        return self.billing.api.post(path, body)

    @rule(target=invoices, net=CENTS, stays=st.sampled_from([True, False, False]))
    def draft(self, net: str, stays: bool) -> str:
        made = self.billing.draft(lines=[{"name": "Work", "price": net, **TAXED}])
        self.owed[made["id"]] = Owed(made["id"], D(net))
        id_: str = made["id"]
        if not stays:
            self.finalize(id_)
        return id_

    @rule(id_=invoices)
    def finalize(self, id_: str) -> None:
        owed = self.owed[id_]
        answer = self.call(f"/api/invoices/{id_}/finalize")
        if owed.status != "Draft":
            assert answer.status == 409
            return
        assert answer.status == 200, answer.text
        self.numbers += 1
        owed.number, owed.status = answer.json["number"], "Open"
        assert str(owed.number).endswith(f"-{self.numbers:05}")
        owed.settle()

    @rule(id_=invoices)
    def void(self, id_: str) -> None:
        owed = self.owed[id_]
        answer = self.call(f"/api/invoices/{id_}/void")
        may = owed.status in ("Draft", "Open") and not owed.paid and not owed.credited
        assert answer.status == (200 if may else 409), answer.text
        if may:
            owed.status = "Void"

    @rule(id_=invoices)
    def write_off(self, id_: str) -> None:
        owed = self.owed[id_]
        answer = self.call(f"/api/invoices/{id_}/write-off", {"reason": "x"})
        assert answer.status == (200 if owed.status == "Open" else 409), answer.text
        if owed.status == "Open":
            owed.status = "Uncollectible"

    @rule(target=payments, id_=invoices, how=HOW, keep=st.booleans())
    def pay(self, id_: str, how: str, keep: bool) -> Any:
        owed = self.owed[id_]
        amount = of(owed.open, how)
        body = {"amount": amount, "keep_excess": keep}
        answer = self.call(f"/api/invoices/{id_}/payments", body)
        if owed.status in ("Draft", "Void"):
            assert answer.status == 409
            return multiple()
        if D(amount) > owed.open and not keep:
            assert answer.status == 422
            return multiple()
        assert answer.status == 201, answer.text
        payment = {"amount": D(amount), "refunded": ZERO, "parts": {}}
        self.held[answer.json["id"]] = payment
        self.settle(payment, owed, min(D(amount), owed.open))
        return answer.json["id"]

    @rule(payment_id=payments, id_=invoices)
    def allocate(self, payment_id: str, id_: str) -> None:
        owed, payment = self.owed[id_], self.held[payment_id]
        answer = self.call(f"/api/payments/{payment_id}/allocate", {"invoice_id": id_})
        if owed.status in ("Draft", "Void"):
            assert answer.status == 409
            return
        amount = min(credit(payment), owed.open)
        assert answer.status == (200 if amount > 0 else 422), answer.text
        self.settle(payment, owed, amount)

    @rule(payment_id=payments, how=HOW)
    def refund(self, payment_id: str, how: str) -> None:
        payment = self.held[payment_id]
        amount = of(payment["amount"] - payment["refunded"], how)
        answer = self.call(f"/api/payments/{payment_id}/refund", {"amount": amount, "reason": "x"})
        if D(amount) > payment["amount"] - payment["refunded"]:
            assert answer.status == 422
            return
        assert answer.status == 200, answer.text
        self.release(payment_id, D(amount) - credit(payment))
        payment["refunded"] += D(amount)

    @rule(id_=invoices, how=st.none() | HOW)
    def credit_note(self, id_: str, how: str | None) -> None:
        owed = self.owed[id_]
        amount = of(owed.total - owed.credited, how) if how else None
        body = {"reason": "x"} | ({"amount": amount} if amount else {})
        answer = self.call(f"/api/invoices/{id_}/credit", body)
        left = owed.total - owed.credited
        wanted = D(amount) if amount else left
        if owed.status in ("Draft", "Void"):
            assert answer.status == 409
            return
        if not 0 < wanted <= left:
            assert answer.status == 422, answer.text
            return
        assert answer.status == 201, answer.text
        assert D(answer.json["amount"]) == wanted
        excess = wanted - owed.open
        owed.credited += wanted
        if excess > 0:
            # The latest payments give theirs back first.
            for payment in reversed(self.held.values()):
                part = min(excess, payment["parts"].get(id_, ZERO))
                if part > 0:
                    payment["parts"][id_] -= part
                    owed.paid -= part
                    excess -= part
        owed.settle()

    @rule(target=payments, id_=invoices, how=HOW)
    def pay_and_credit(self, id_: str, how: str) -> Any:
        """What is seldom met by chance: a credit note on what is paid."""
        payment_id = self.pay(id_, "all", keep=True)
        self.credit_note(id_, how)
        return payment_id

    @rule(target=payments, id_=invoices, how=HOW)
    def pay_and_refund(self, id_: str, how: str) -> Any:
        """A refund of what settles an invoice."""
        payment_id = self.pay(id_, "all", keep=True)
        if isinstance(payment_id, str):
            self.refund(payment_id, how)
        return payment_id

    def settle(self, payment: dict[str, Any], owed: Owed, amount: Decimal) -> None:
        if amount > 0:
            payment["parts"][owed.id] = payment["parts"].get(owed.id, ZERO) + amount
            owed.paid += amount
            owed.settle()

    def release(self, payment_id: str, wanted: Decimal) -> None:
        """Which invoice gives back is the database's to say; how much in all is not."""
        if wanted <= 0:
            return
        payment = self.held[payment_id]
        told = self.billing.api.get(f"/api/payments/{payment_id}").json["allocations"]
        parts: dict[str, Decimal] = {}
        for each in told:
            parts[each["invoice_id"]] = parts.get(each["invoice_id"], ZERO) + D(each["amount"])
        before, after = sum(payment["parts"].values(), ZERO), sum(parts.values(), ZERO)
        assert before - after == wanted
        for id_, part in payment["parts"].items():
            owed = self.owed[id_]
            owed.paid -= part - parts[id_]
            owed.settle()
        payment["parts"] = parts

    @precondition(lambda self: hasattr(self, "owed"))
    @invariant()
    def every_sum_is_the_model_s(self) -> None:
        for owed in self.owed.values():
            found = self.billing.read({"id": owed.id})
            shown = owed.open if owed.status in ("Open", "Uncollectible") else ZERO
            assert (found["status"], D(found["paid"]), D(found["credited"]), D(found["open"])) == (
                owed.status, owed.paid, owed.credited, shown,
            )  # fmt: skip
        for payment_id, payment in self.held.items():
            found = self.billing.api.get(f"/api/payments/{payment_id}").json
            assert D(found["credit"]) == credit(payment)


def credit(payment: dict[str, Any]) -> Decimal:
    held: Decimal = payment["amount"] - payment["refunded"] - sum(payment["parts"].values(), ZERO)
    return held


@pytest.mark.parametrize("steps", [25])
def test_no_sequence_of_calls_loses_or_doubles_money(app: Flask, steps: int) -> None:
    Money.app = app
    with contextlib.suppress(AttributeError):
        del Money.TestCase
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=16 * TIMES,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
