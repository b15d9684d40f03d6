"""Every module is in the contract of the layers, and the application is made at the top alone."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("models", "webapp", "tasks", "migrations")
# The package that makes the application imports all layers, so those alone may import it that
# stand above them all; `models` itself makes the metadata whole. celery_worker.py is no package.
MAKES_THE_APPLICATION = "webapp"
ABOVE_ALL = ("webapp.wsgi", "webapp.cli", "webapp.devtools")
ROOTS = {MAKES_THE_APPLICATION, "models"}


def modules() -> dict[str, Path]:
    """Our modules by dotted name."""
    found = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def is_in(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}.")


def test_every_module_is_in_the_contract_of_the_layers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    layers = [name for layer in contract["layers"] for name in re.split(r"\s*[|:]\s*", layer)]
    missing = [name for name in modules() if not any(is_in(name, layer) for layer in layers)]
    assert set(missing) == ROOTS
    assert "ignore_imports" not in contract


def test_only_what_stands_above_all_layers_makes_the_application() -> None:
    importers = set()
    for name, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_from_it = isinstance(node, ast.ImportFrom) and node.module == MAKES_THE_APPLICATION
            if is_from_it and any(alias.name == "create_app" for alias in node.names):
                importers.add(name)
    assert importers
    strange = {name for name in importers if not any(is_in(name, above) for above in ABOVE_ALL)}
    assert strange == set()
