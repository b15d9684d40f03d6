"""Organizations on a database of their own, as a lane goes over all there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.runtime import lanes
from tests.conftest import OwnStack
from tests.support.tenants import Tenant


@pytest.fixture
def firms(own_stack: OwnStack) -> Iterator[list[Tenant]]:
    """Three organizations, in the order in which they take turns."""
    made = [Tenant.create(own_stack.app, f"Firm {n}") for n in range(3)]
    made.sort(key=lambda tenant: tenant.id)
    lanes._served.clear()
    with own_stack.app.app_context():
        yield made
