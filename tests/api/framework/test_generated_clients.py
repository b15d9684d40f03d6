"""Other people's tools read the document: nothing is left out, and nothing is warned of."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Live
from tests.support.tenants import Api, a_signature

ROOT = Path(__file__).resolve().parents[3]
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
NODE_TOOLS = ("openapi-typescript@7.13.0", "@redocly/cli@2.77.0")
PACKAGE = "generated_client"
# The generator has no model for these; it calls the operation all the same, and takes bytes.
AS_BYTES = ("application/pdf", "application/xml", "text/xml", "text/csv", "image/svg+xml")
CONFIG = json.dumps({"content_type_overrides": dict.fromkeys(AS_BYTES, "application/octet-stream")})


@pytest.fixture(scope="module")
def document(app: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document in a file."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_bytes(Api(app=app).get("/api/openapi.json").content)
    return file


@pytest.fixture(scope="module")
def client(document: Path) -> Iterator[ModuleType]:
    """The Python package that is generated from the document, imported."""
    folder = document.parent
    config = folder / "config.yml"
    config.write_text(CONFIG)
    # Its formatter is beside it, and only looked for in the PATH.
    path = f"{GENERATOR.parent}{os.pathsep}{os.environ['PATH']}"
    made = subprocess.run(
        [
            GENERATOR, "generate", "--path", document, "--meta", "none",
            "--output-path", folder / PACKAGE, "--config", config, "--fail-on-warning",
        ],
        capture_output=True, text=True, timeout=120, env=os.environ | {"PATH": path},
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def module_of(tag: str, operation: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")


@pytest.mark.long
def test_a_generated_python_client_has_every_operation(client: ModuleType, document: Path) -> None:
    described = {
        (operation["tags"][0], operation["operationId"])
        for methods in json.loads(document.read_text())["paths"].values()
        for method, operation in methods.items()
        if method != "parameters"
    }
    made = {
        (file.parent.name, file.stem)
        for file in Path(client.__path__[0]).glob("api/*/*.py")
        if file.stem != "__init__"
    }
    assert made == described


@pytest.mark.long
def test_a_generated_python_client_signs_from_draft_to_order(
    client: ModuleType, live: Live
) -> None:
    models = importlib.import_module(f"{PACKAGE}.models")
    with (
        client.AuthenticatedClient(live.base_url, token=live.api_key, timeout=40.0) as staff,
        client.Client(live.base_url, timeout=40.0) as anybody,
    ):
        item = models.ItemIn(name="Website", price="1200.00", quantity=2)
        body = models.ProposalCreate(
            name="Website relaunch",
            currency="EUR",
            client_company=models.CompanyInline(name="Juniper Bakery"),
            contact=models.ContactInline("Robin", "Ray", "robin@example.com"),
            items=[item],
        )
        draft = module_of("proposals", "create_proposal").sync(client=staff, body=body)
        assert (draft.status, draft.total) == ("Draft", "2400.00")
        send = module_of("proposals", "send_proposal")
        sent = send.sync(draft.id, client=staff, idempotency_key="send it once")
        token = sent.signing_url.rsplit("/", 1)[1]

        shown = module_of("public", "get_public_proposal").sync(token, client=anybody)
        assert shown.content_sha256 == sent.content_sha256
        sign = module_of("public", "sign_public_proposal")
        body = models.SignIn.from_dict(a_signature(shown.content_sha256))
        signed = sign.sync(token, client=anybody, body=body, prefer="wait=30")
        assert signed.engagement.status == "Active"
        assert signed.order.total == "2400.00"
        refused = sign.sync_detailed(token, client=anybody, body=body)
        assert refused.status_code == 409
        assert refused.parsed.type_ == "/problems/already-signed"

        engagement_id = signed.engagement.id
        engagement = module_of("engagements", "get_engagement").sync(engagement_id, client=staff)
        assert [project.name for project in engagement.projects] == ["Website"]
        closed = module_of("engagements", "update_engagement").sync(
            engagement_id,
            client=staff,
            body=models.EngagementChange.from_dict({"status": "Paused"}),
        )
        assert closed.status_id == 2
        listed = module_of("proposals", "list_proposals").sync(
            client=staff, status=[models.ListProposalsStatusItemType0.SIGNED]
        )
        assert [proposal.id for proposal in listed.data] == [draft.id]
        listed = module_of("orders", "list_orders").sync(client=staff, engagement_id=engagement_id)
        assert [order.id for order in listed.data] == [signed.order.id]


@pytest.fixture(scope="module")
def node_tools() -> Path:
    """The tools that need Node.js, in these versions; installed once, into var/."""
    folder = ROOT / "var" / "node"
    wanted = folder / "installed"
    if not wanted.exists() or wanted.read_text() != " ".join(NODE_TOOLS):
        npm = shutil.which("npm")
        assert npm is not None, "npm is needed: apt-get install nodejs npm"
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-save", "--no-package-lock", "--prefix", str(folder)]
        subprocess.run([*command, *NODE_TOOLS], check=True, timeout=300, capture_output=True)
        wanted.write_text(" ".join(NODE_TOOLS))
    return folder / "node_modules" / ".bin"


@pytest.mark.node
def test_the_linter_has_nothing_to_say(node_tools: Path, document: Path) -> None:
    linted = subprocess.run(
        [node_tools / "redocly", "lint", document, "--extends=recommended", "--format=json"],
        capture_output=True, text=True, timeout=120, cwd=document.parent,
        env=os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )  # fmt: skip
    found = json.loads(linted.stdout[linted.stdout.index("{") :])
    problems = [(p["ruleId"], p["message"], p["location"]) for p in found["problems"]]
    assert problems == []
    assert linted.returncode == 0


@pytest.mark.node
def test_types_for_typescript_have_every_operation(node_tools: Path, document: Path) -> None:
    types = document.with_suffix(".ts")
    made = subprocess.run(
        [node_tools / "openapi-typescript", document, "--output", types],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    written = types.read_text()
    for methods in json.loads(document.read_text())["paths"].values():
        for method, operation in methods.items():
            if method != "parameters":
                assert f'operations["{operation["operationId"]}"]' in written
