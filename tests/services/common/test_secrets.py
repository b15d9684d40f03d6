"""Passwords: who is unknown is answered as slowly as who is not."""

from __future__ import annotations

from webapp.services.common import secrets


def test_the_hash_for_who_is_unknown_costs_what_all_hashes_cost() -> None:
    assert not secrets._hasher.check_needs_rehash(secrets._ABSENT)
