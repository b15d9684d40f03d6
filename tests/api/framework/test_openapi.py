"""The document equals the routes, and the routes keep to the document under fuzzing."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.tenants import Api, Tenant
from tests.support.world import World, populate

EXAMPLES = {GenerationMode.POSITIVE: 8, GenerationMode.NEGATIVE: 4}
# What JSON Schema cannot say: ids must exist, cursors be ours, days in order, an amount have its
# currency, a change change something, a reason its move, and a client be given in words or by id,
# not both. Any other refusal of valid input is a defect.
BEYOND_SCHEMA = re.compile(
    r"(.*_id|cursor|body|currency|end_date|due_date|items|valid_until|custom_fields\.(?s:.*)"
    r"|client_company|contact|lost_reason)"
)
HIDDEN = {"/api/openapi.json", "/api/docs"}


def test_the_document_names_exactly_the_routes(app: Flask, anybody: Api) -> None:
    document = anybody.get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    documented = {
        (path, method.upper())
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    real = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.rule not in HIDDEN
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert documented == real


def test_every_operation_is_described_and_named_once(anybody: Api) -> None:
    document = anybody.get("/api/openapi.json").json
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation.get("summary"), (method, path)
            names.append(operation["operationId"])
    assert len(names) == len(set(names))


@pytest.fixture(scope="module")
def world(app: Flask) -> World:
    tenant = Tenant.create(app, "Fuzzed firm")
    return populate(tenant, Api(app=app, api_key=tenant.api_key), "fuzzed")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_every_operation_keeps_to_the_document(
    app: Flask, world: World, role: str, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    key = world.tenant.key(role)
    broken = {}
    for found in document.get_all_operations():
        operation = found.ok()
        try:
            fuzz(operation, mode, world, key)
        except (FailureGroup, Failure) as error:
            broken[operation.label] = str(error)
        except Unsatisfiable:
            continue  # nothing about this operation can be wrong in this way
    assert broken == {}, "\n\n".join(f"{name}\n{text}" for name, text in broken.items())


def fuzz(operation: Any, mode: GenerationMode, world: World, key: str) -> None:
    """Call one operation with made-up input; some of it with the ids of real records."""

    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    @settings(
        max_examples=EXAMPLES[mode],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    def call(case: Any, real: bool) -> None:
        if real and mode is GenerationMode.POSITIVE:
            known = world.ids | {"token": world.open_token}
            for name in case.path_parameters or {}:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {key}"},
            excluded_checks=[positive_data_acceptance],
        )
        if mode is GenerationMode.POSITIVE and answer.status_code == 422:
            refused = set(answer.json().get("errors", {}))  # a reused Idempotency-Key names none
            assert all(BEYOND_SCHEMA.fullmatch(field) for field in refused), (case.body, refused)

    call()
