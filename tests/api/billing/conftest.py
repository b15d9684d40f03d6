"""A firm that can bill, and a client it bills."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.billing import Billing, ready_to_bill
from tests.support.tenants import Api, Tenant


@pytest.fixture
def billing(api: Api, tenant: Tenant) -> Billing:
    return ready_to_bill(api, tenant)


@pytest.fixture
def draft(billing: Billing) -> dict[str, Any]:
    return billing.draft()
