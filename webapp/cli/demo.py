"""`sx demo`, and the sample organization that it and `make run` use."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from webapp.cli.base import as_json, fail, make_app, say


@click.command()
@click.option("--url", envvar="BASE_URL", help="Default: BASE_URL, or PORT (8000) here.")
@click.option("--key", help="An API key of an owner or member; default: the sample's.")
@as_json
def demo(url: str | None, key: str | None, as_json: bool) -> None:
    """Drive proposals from draft to kickoff on the running stack, and check what came of them."""
    from webapp.cli.demo_flow import DemoError, as_data, as_text, check_that_it_runs, run_demo

    address = (url or f"http://127.0.0.1:{os.environ.get('PORT', '8000')}").rstrip("/")
    try:
        check_that_it_runs(address)
        runs = run_demo(address, key or _kept_key())
    except DemoError as error:
        fail(str(error))
    say(as_json, as_data(runs), as_text(runs))
    sys.exit(1 if any(run.missing for run in runs) else 0)


def _kept_key() -> str:
    """The sample's API key, as the start of the stack left it in VAR_DIR."""
    file = Path(os.environ.get("VAR_DIR", "var")) / "demo.json"
    try:
        return str(json.loads(file.read_text())["api_key"])
    except (OSError, ValueError, KeyError, TypeError):
        fail(f"there is no API key in {file}: run this beside `make run`, or give --key")


@click.command("demo-seed", hidden=True)
@as_json
def demo_seed(as_json: bool) -> None:
    """Make the sample organization, or complete it; prints what there is to try."""
    from webapp.cli.sample import seed

    app = make_app()
    made = seed(app, app.config["SETTINGS"].var_dir)
    say(as_json, made, "\n".join(f"{name:<16}{value}" for name, value in made.items()))
