"""Whose address a request came from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask, request

from webapp import create_app


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.7")]
)
def test_forwarded_addresses_are_believed_from_as_many_proxies_as_there_are(
    app: Flask, proxies: int, address: str
) -> None:
    fronted = create_app(replace(app.config["SETTINGS"], trusted_proxies=proxies))
    seen = []
    fronted.before_request_funcs.setdefault(None, []).append(
        lambda: seen.append(request.remote_addr)
    )
    headers = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    fronted.test_client().get("/healthz", headers=headers)
    assert seen == [address]
