"""A state as a client may send it (rulings.md, *States*)."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from models.states import ENGAGEMENT
from webapp.schemas.common import StateIn


@pytest.mark.parametrize("sent", [2, 2.0, "2", "Paused", "paused", "PAUSED", "on_hold", " Paused "])
def test_a_state_is_known_by_its_number_its_label_and_its_slug(sent: object) -> None:
    assert StateIn(ENGAGEMENT).deserialize(sent) == "on_hold"


@pytest.mark.parametrize("sent", [0, 2.5, True, "", "closing", [2], {"status": 2}])
def test_anything_else_is_refused_with_what_there_is(sent: object) -> None:
    with pytest.raises(ValidationError, match=r"Send one of: Active \(1\), Paused \(2\)"):
        StateIn(ENGAGEMENT).deserialize(sent)
