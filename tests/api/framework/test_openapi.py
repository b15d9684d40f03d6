"""The document equals the routes, and the routes keep to the document under fuzzing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.bank import entries, imported
from tests.support.billing import Billing, ready_to_bill
from tests.support.forms import send_file
from tests.support.tenants import Api, Tenant, a_proposal
from tests.support.world import World, populate

# Of each operation; `make check` asks for more of them.
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
EXAMPLES = {GenerationMode.POSITIVE: 2 * TIMES, GenerationMode.NEGATIVE: TIMES}
# What JSON Schema cannot say: ids must exist, cursors be ours, days in order, an amount have its
# currency, a change change something, a reason its move, a message say something and name members,
# and a client be given in words or by id, not both. Names of time zones and regions must be known,
# digits check, hours and days be in order. A tax has a category and a rate that fit, amounts add up
# to what they are for, a schedule has the fields of its kind, a file is what it says, and the
# address of a webhook is a receiver's. Any other refusal is a defect.
BEYOND_SCHEMA = re.compile(
    "|".join(
        (
            r"(.*[._])?(rate|tax_rate|tax_category|discount)",
            r"(allocations\..*)?amount",
            r"(lines|entries)\.\d+(\..*)?",
            r"(services|schedule)\..*",
            r"(tasks|milestones|phases)\.\d+\..*",
            r".*_id",
            r"allocations",
            r"allowed_ips\.\d+",
            r"bank\.(iban|bic)",
            r"attachments\.\d+\..*",
            r"billing\..*",
            r"body",
            r"client_company",
            r"contact",
            r"content",
            r"currency",
            r"cursor",
            r"custom_fields[.\[](?s:.*)",
            r"days",
            r"default",
            r"depends_on\.\d+",
            r"deposit_percent",
            r"due_date",
            r"end_date",
            r"ends_on",
            r"entity_type",
            r"event_types",
            r"expires_at",
            r"file",
            r"hand_over_to",
            r"holidays_region",
            r"hours",
            r"issued_on",
            r"items",
            r"keep_excess",
            r"late_fee\..*",
            r"lines",
            r"lost_reason",
            r"mentions",
            r"name",  # of a file, whose ending stays
            r"milestones",
            r"options",
            r"reason",
            r"received_at",
            r"reminder_days",
            r"rest_on",
            r"scopes",
            r"selection(\..*)?",
            r"service_until",
            r"sort",
            r"starts_on",
            r"tax_id",
            r"timezone",
            r"url",
            r"valid_until",
            r"working_hours\..*",
        )
    )
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


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method} {path}", operation


def test_every_body_has_an_example_that_its_schema_accepts(anybody: Api) -> None:
    document = anybody.get("/api/openapi.json").json
    wrong = []
    for name, operation in operations(document):
        answers = [
            document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
            if "$ref" in answer
            else answer
            for answer in operation["responses"].values()
        ]
        for body in [operation.get("requestBody", {}), *answers]:
            for kind, content in body.get("content", {}).items():
                if "json" not in kind:
                    continue
                shown = content.get("examples", {"": {"value": content.get("example")}})
                schema = content["schema"] | {"components": document["components"]}
                validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
                for value in (example["value"] for example in shown.values()):
                    if value is None or not validator.is_valid(value):
                        wrong.append((name, kind, [str(e) for e in validator.iter_errors(value)]))
    assert wrong == []


def test_what_is_shown_as_a_body_to_send_is_accepted(app: Flask) -> None:
    """On a tenant where there is one of everything; only the ids are put in."""
    tenant = Tenant.create(app, "Example firm")
    api = Api(app=app, api_key=tenant.api_key)
    world = populate(tenant, api, "example")
    bill = ready_to_bill(api, tenant, "another")
    refused = []
    for name, operation in operations(api.get("/api/openapi.json").json):
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue  # nothing is sent, or a file
        if not operation["security"]:
            continue
        method, path = name.split(" ")
        ids = dict(world.ids)
        if path.startswith("/api/proposals"):
            draft = method == "put"
            new = api.made("/api/proposals", a_proposal()) if draft else api.send_proposal()
            ids["proposal_id"] = new["id"]
        if path.startswith("/api/contracts"):
            agreed = {"name": "Care", "body": "We care.", "contact_id": ids["contact_id"]}
            ids["contract_id"] = api.made("/api/contracts", agreed)["id"]
            if path.endswith("/resend"):
                api.made(f"/api/contracts/{ids['contract_id']}/send")
        if path.startswith("/api/orders/"):  # the one there is was signed, and stays as it is
            bought = {"engagement_id": ids["engagement_id"], "items": [{"name": "x", "price": "1"}]}
            ids["order_id"] = api.made("/api/orders", bought)["id"]
        ids |= of_billing(bill, name, ids["user_id"])
        if operation["operationId"] == "return_project":
            tested = {"name": "x", "engagement_id": ids["engagement_id"], "phase": "Testing"}
            ids["project_id"] = api.made("/api/projects", tested)["id"]
        if "multipart/form-data" in operation["requestBody"]["content"]:
            answer = send_file(api, path.format(**ids), **of_form(operation, ids))
            if answer.status >= 400:
                refused.append((name, answer.text))
            continue
        content = operation["requestBody"]["content"]["application/json"]
        body = with_ids(content["example"], ids)
        if "email" in body:
            body["email"] = f"{operation['operationId']}@example.com"
        if operation["operationId"] == "create_time_entry":  # it is for one or the other
            body |= {"project_id": ids["project_id"], "user_id": ids["user_id"]}
        if "mentions" in body:
            body["mentions"] = [ids["user_id"]]
        if "reference" in body:
            body["reference"] = operation["operationId"]
        body.pop("content_sha256", None)
        answer = api.call(method.upper(), path.format(**ids), body)
        if answer.status >= 400:
            refused.append((name, answer.text))
    assert refused == []


def of_form(operation: dict[str, Any], ids: dict[str, str]) -> dict[str, str]:
    """The fields of a form beside its file."""
    shape = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"]
    return {"engagement_id": ids["engagement_id"]} if shape.endswith("/FileCreate") else {}


def with_ids(example: Any, ids: dict[str, str]) -> Any:
    """The example with ids of records that are there, in lists too."""
    if isinstance(example, list):
        return [with_ids(each, ids) for each in example]
    if not isinstance(example, dict):
        return example
    return {
        key: ids.get(key, value) if key.endswith("_id") else with_ids(value, ids)
        for key, value in example.items()
    }


def of_billing(bill: Billing, name: str, user_id: str) -> dict[str, str]:
    """An invoice and a payment for which the operation's example fits."""
    if "/api/bank-entries" in name:
        row = f"2026-03-02,5,{bill.final()['number']},{name}"
        statement = imported(bill.api, f"date,amount,purpose,reference\n{row}\n", "text/csv")
        return {"bank_entry_id": entries(bill.api, statement)[0]["id"]}
    if not re.search("/api/(invoices|payments|invoice-schedules)", name):
        return {}
    final, paid = bill.final("5000.00"), bill.final()
    payment = bill.pay(paid, "9000.00", keep_excess=True)
    if name.endswith("add-time"):
        project = bill.api.made(
            "/api/projects", {"name": "x", "engagement_id": bill.engagement["id"]}
        )
        time = {"project_id": project["id"], "user_id": user_id, "minutes": 5, "day": "2026-01-01"}
        bill.api.made("/api/time-entries", time)
    is_draft = name.startswith("put") or name.endswith("add-time")
    invoice = bill.draft() if is_draft else final
    return {"invoice_id": invoice["id"], "payment_id": payment["id"]}


def test_each_operation_documents_the_errors_of_its_form(anybody: Api) -> None:
    document = anybody.get("/api/openapi.json").json
    for name, operation in operations(document):
        answers, named = (
            operation["responses"],
            {sent["name"] for sent in operation.get("parameters", ())},
        )
        needs_key = operation["security"] != []
        assert "503" in answers, name
        assert ("401" in answers and "403" in answers) == needs_key, name
        assert ("429" in answers) == (not needs_key), name
        assert ("404" in answers) >= ("{" in name), name
        assert ("409" in answers) == (not name.startswith("get ")), name
        assert ("412" in answers) == ("If-Match" in named), name
        assert ("415" in answers) == ("requestBody" in operation), name
        if name.startswith(("put ", "delete ")):
            assert "If-Match" in named, name
    sign = document["paths"]["/api/proposals/{proposal_id}/sign"]["post"]["responses"]["409"]
    for kind in ("Conflict", "AlreadySigned", "InvalidTransition", "Expired", "ContentChanged"):
        assert kind in sign["$ref"].split("-")
    retrieve = document["paths"]["/api/engagements/{engagement_id}"]["get"]["responses"]
    assert "ETag" in retrieve["200"]["headers"]


@pytest.fixture(scope="module")
def world(app: Flask) -> World:
    tenant = Tenant.create(app, "Fuzzed firm")
    return populate(tenant, Api(app=app, api_key=tenant.api_key), "fuzzed")


@pytest.mark.long
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_to_the_document(
    app: Flask, world: World, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    keys = {role: world.tenant.key(role) for role in ("owner", "viewer")}
    broken = {}
    # Both roles in turn: most of the time goes into making up input for an operation's schema.
    for operation in [found.ok() for found in document.get_all_operations()]:
        for role, key in keys.items():
            try:
                fuzz(operation, mode, world, key)
            except (FailureGroup, Failure) as error:
                broken[f"{operation.label} by the {role}"] = str(error)
            except Unsatisfiable:
                continue  # nothing about this operation can be wrong in this way
    assert broken == {}, "\n\n".join(f"{name}\n{text}" for name, text in broken.items())


def documented_problems(operation: Any, status: int) -> set[str]:
    """The types of the problems that the document names for this status."""
    named = operation.definition.raw["responses"].get(str(status))
    assert named is not None, f"{status} is not documented"
    shared = operation.schema.raw_schema["components"]["responses"]
    response = shared[named["$ref"].rsplit("/", 1)[1]]
    examples = response["content"]["application/problem+json"]["examples"]
    return {example["value"]["type"] for example in examples.values()}


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
            # A version made up is never the current one; half of the calls go without.
            (case.headers or {}).pop("If-Match", None)
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {key}"},
            excluded_checks=[positive_data_acceptance],
        )
        if answer.status_code >= 400:
            problem = answer.json()["type"]
            assert problem in documented_problems(case.operation, answer.status_code), (
                f"{answer.status_code} {problem} is not documented"
            )
        if mode is GenerationMode.POSITIVE and answer.status_code == 422:
            refused = set(answer.json().get("errors", {}))  # a reused Idempotency-Key names none
            assert all(BEYOND_SCHEMA.fullmatch(field) for field in refused), (case.body, refused)

    call()
