"""The receiver of webhooks that the documentation shows does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from tests.support.tenants import Api, Tenant, eventually
from webapp.core.webhook_sender import post
from webapp.devstack.processes import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "receive-webhooks.md"


def test_the_receiver_of_the_documentation_takes_ours_once_and_nothing_else(
    app: Flask, api: Api, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(app.config["SETTINGS"], webhooks_allow_loopback=True)
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program, output = tmp_path / "receiver.py", tmp_path / "output"
    program.write_text(code)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    webhook = api.made("/api/webhooks", {"url": url, "event_types": ["deal.created"]})
    env = {**os.environ, "WEBHOOK_SECRET": webhook["secret"], "PORT": str(port)}
    with output.open("wb") as out:
        receiver = subprocess.Popen([sys.executable, program], env=env, stdout=out, stderr=out)
        try:
            eventually(lambda: post(url, b"{}", {}, allow_loopback=True).status == 400)
            deal = api.made("/api/deals", {"name": "x"})
            tenant.run_jobs()
            [delivery] = api.get(f"/api/webhooks/{webhook['id']}/deliveries").json["data"]
            assert delivery["state"] == "delivered"
            api.made(f"/api/webhook-deliveries/{delivery['id']}/replay")
            tenant.run_jobs()
        finally:
            receiver.kill()
            receiver.wait()
    lines = [line for line in output.read_text().splitlines() if line.startswith("deal.created")]
    assert len(lines) == 1
    assert deal["id"] in lines[0]
