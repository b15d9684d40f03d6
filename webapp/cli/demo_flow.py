"""`sx demo`: the main job driven over HTTP, as a client's program would, and checked.

Two proposals of three items, in two currencies: drafted, sent, read and signed by their links;
then what the signature created is fetched and counted (sign-flow.md).
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

TIMELINE_SECONDS = 10.0
RESULT_SECONDS = 20.0
PAUSE = 0.05

PROPOSALS: tuple[dict[str, Any], ...] = (
    {
        "name": "Brand refresh and website",
        "currency": "EUR",
        "notes": "Prices without VAT. Work starts within a week of the signature.",
        "client_company": {"name": "Larkspur Gardens"},
        "contact": {
            "first_name": "Sample",
            "last_name": "Gardener",
            "email": "gardener@larkspur.example.com",
        },
        "items": [
            {"name": "Brand workshop", "description": "Two days", "price": "1800.00"},
            {"name": "Website", "description": "Design, build, launch", "price": "7450.50"},
            {"name": "Product photography", "price": "420.25", "quantity": 3},
        ],
    },
    {
        "name": "Customer portal, first release",
        "currency": "USD",
        "client_company": {"name": "Fernhill Logistics"},
        "contact": {
            "first_name": "Sample",
            "last_name": "Dispatcher",
            "email": "dispatcher@fernhill.example.com",
        },
        "items": [
            {"name": "Discovery", "description": "Interviews and a plan", "price": "4200.00"},
            {"name": "Portal build", "description": "Six weeks", "price": "31500.00"},
            {"name": "Support, one quarter", "price": "950.00", "quantity": 3},
        ],
    },
)


class DemoError(Exception):
    """The demo cannot go on; the text says why, and what to do."""


@dataclass(slots=True)
class Step:
    """One step of the flow; `milliseconds` include waiting for what it asked for."""

    step: str
    milliseconds: int
    detail: str = ""


@dataclass(slots=True)
class Run:
    """One proposal's way, and what was missing on it."""

    name: str
    currency: str
    number: str = ""
    total: str = ""
    engagement_id: str = ""
    steps: list[Step] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time the block; its details are filled in by the block."""
        step = Step(name, 0)
        begin = time.perf_counter()
        yield step
        step.milliseconds = round((time.perf_counter() - begin) * 1000)
        self.steps.append(step)

    def check(self, is_there: bool, what: str) -> None:
        """Note `what` as missing unless it is there."""
        if not is_there:
            self.missing.append(what)


@dataclass(frozen=True, slots=True)
class Api:
    """A caller of the REST API at `url`; without a key, the client who holds a link."""

    url: str
    key: str | None = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of the answer. Raises DemoError when there is none or it is an error."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Accept"] = "application/json"
        if self.key:
            sent["Authorization"] = f"Bearer {self.key}"
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the address is the user's own
            self.url + path, data=data, headers=sent, method=method
        )
        try:
            # Without proxies: this goes to our own machine.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=40) as answer:
                return json.load(answer) if answer.status != 204 else None
        except urllib.error.HTTPError as error:
            raise DemoError(f"{method} {path} was answered {_reason(error)}") from None
        except (OSError, ValueError) as error:
            raise DemoError(f"{method} {path}: no answer ({error})") from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(error)
        return f"{error.code}: {problem.get('detail') or problem}"
    except (ValueError, AttributeError):
        return str(error.code)


def check_that_it_runs(url: str) -> None:
    """Raises DemoError with one line that says what to do, unless the stack is ready."""
    try:
        Api(url).call("GET", "/readyz")
    except DemoError as error:
        if "no answer" in str(error):
            raise DemoError(
                f"Service Engine X does not run at {url}: start it with `make run`,"
                " or give the PORT it runs on: `make demo PORT=8001`"
            ) from None
        raise DemoError(f"Service Engine X at {url} is not ready: {error}") from None


def run_demo(url: str, key: str) -> list[Run]:
    """Drive every proposal of the demo; what was missing stands in each run.

    Raises DemoError when the stack does not run at `url`, or does not take the key.
    """
    check_that_it_runs(url)
    staff, client = Api(url, key), Api(url)
    staff.call("GET", "/api/proposals?limit=1")
    runs = []
    for body in PROPOSALS:
        run = Run(body["name"], body["currency"])
        runs.append(run)
        try:
            _drive(run, body, staff, client)
        except DemoError as error:
            run.missing.append(str(error))
        except (KeyError, TypeError, IndexError) as error:
            run.missing.append(f"a field of the answer: {error!r}")
    return runs


def _drive(run: Run, body: dict[str, Any], staff: Api, client: Api) -> None:
    names = [item["name"] for item in body["items"]]
    with run.step("drafted") as step:
        proposal = staff.call("POST", "/api/proposals", body, Idempotency_Key=str(uuid4()))
        run.number, run.total = proposal["number"], proposal["total"]
        step.detail = f"{run.number}, {len(proposal['items'])} items, {run.currency} {run.total}"
    one = f"/api/proposals/{proposal['id']}"
    with run.step("sent") as step:
        sent = staff.call("POST", f"{one}/send", Idempotency_Key=str(uuid4()))
        step.detail = f"to {sent['contact']['email']}"
        run.check(sent["status"] == "Sent", "the status Sent after sending")
    link = f"/api/public/proposals/{sent['signing_url'].rsplit('/', 1)[1]}"
    with run.step("viewed") as step:
        seen = client.call("GET", link)
        client.call("POST", f"{link}/viewed")
        step.detail = f"content {seen['content_sha256'][:12]}…"
    told = staff.call("GET", one)
    run.check(bool(told["opened_at"] and told["viewed_at"]), "opened_at and viewed_at after a look")
    with run.step("signed") as step:
        result = _sign(client, link, seen)
        step.detail = f"by {seen['contact']['first_name']} {seen['contact']['last_name']}"
    run.check(result["proposal"]["status"] == "Signed", "the status Signed")
    if not result["engagement"] or not result["order"]:
        raise DemoError(f"no engagement and order within {RESULT_SECONDS:.0f} s of the signature")
    run.engagement_id = result["engagement"]["id"]
    _check_what_was_created(run, names, staff, result["order"]["id"], proposal["id"])
    with run.step("timeline") as step:
        step.detail = _check_timeline(run, len(names), staff)


def _sign(client: Api, link: str, seen: dict[str, Any]) -> dict[str, Any]:
    """Sign as the contact; where the answer comes before the result, wait for that."""
    contact = seen["contact"]
    name = f"{contact['first_name']} {contact['last_name']}"
    body = {
        "signer_name": name,
        "signer_email": contact["email"],
        "consent": True,
        "signature": {"method": "typed", "data": name},
        "content_sha256": seen["content_sha256"],
    }
    result: dict[str, Any] = client.call(
        "POST", f"{link}/sign", body, Prefer="wait=10", Idempotency_Key=str(uuid4())
    )
    if "engagement" in result:
        return result
    result = _poll(
        lambda: client.call("GET", f"{link}/result"),
        lambda found: found["engagement"] is not None,
        RESULT_SECONDS,
    )
    return result


def _check_what_was_created(
    run: Run, names: list[str], staff: Api, order_id: str, proposal_id: str
) -> None:
    with run.step("engagement") as step:
        engagement = staff.call("GET", f"/api/engagements/{run.engagement_id}")
        step.detail = f"{engagement['name']}, {engagement['status']}"
    run.check(engagement["status"] == "Active", "the engagement's status Active")
    run.check(engagement["total_value"] == run.total, "the engagement's total_value")
    with run.step("projects") as step:
        query = f"/api/projects?engagement_id={run.engagement_id}&sort=created_at"
        projects = staff.call("GET", query)["data"]
        at_kickoff = sum(project["phase"] == "Kickoff" for project in projects)
        step.detail = f"{at_kickoff} at Kickoff: {', '.join(p['name'] for p in projects)}"
    for name in names:
        there = [p for p in projects if p["name"] == name and p["phase"] == "Kickoff"]
        run.check(len(there) == 1, f"one project {name!r} at Kickoff")
    run.check(len(projects) == len(names), f"{len(names)} projects, no more and no less")
    with run.step("order") as step:
        order = staff.call("GET", f"/api/orders/{order_id}")
        step.detail = f"{order['number']}, {order['currency']} {order['total']}, {order['status']}"
    run.check(order["engagement_id"] == run.engagement_id, "the order's engagement")
    run.check(order["proposal_id"] == proposal_id, "the order's proposal")
    run.check((order["currency"], order["total"]) == (run.currency, run.total), "the order's total")


def _check_timeline(run: Run, projects: int, staff: Api) -> str:
    """Wait for the events, which are written behind the changes; says which there are."""
    wanted = {
        ("proposal", "sent"): 1,
        ("proposal", "opened"): 1,
        ("proposal", "viewed"): 1,
        ("proposal", "signed"): 1,
        ("engagement", "created"): 1,
        ("project", "created"): projects,
        ("order", "created"): 1,
    }
    path = f"/api/engagements/{run.engagement_id}/timeline?limit=100"

    def count(events: Any) -> dict[tuple[str, str], int]:
        kinds = [(event["entity_type"], event["type"]) for event in events["data"]]
        return {kind: kinds.count(kind) for kind in kinds}

    events = _poll(
        lambda: staff.call("GET", path),
        lambda found: all(count(found).get(kind, 0) >= n for kind, n in wanted.items()),
        TIMELINE_SECONDS,
    )
    there = count(events)
    for kind, number in wanted.items():
        run.check(
            there.get(kind, 0) == number,
            f"{number} event {' '.join(kind)} on the timeline (there: {there.get(kind, 0)})",
        )
    return f"{sum(there.values())} events: {', '.join(' '.join(kind) for kind in wanted)}"


def _poll(ask: Callable[[], Any], enough: Callable[[Any], bool], seconds: float) -> Any:
    """Ask until it is enough or the time is over; returns the last answer."""
    deadline = time.monotonic() + seconds
    while not enough(found := ask()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return found


def as_data(runs: list[Run]) -> dict[str, Any]:
    """The report for programs."""
    missing = [f"{run.name}: {what}" for run in runs for what in run.missing]
    return {"ok": not missing, "missing": missing, "proposals": [asdict(run) for run in runs]}


def as_text(runs: list[Run]) -> str:
    """The report for people."""
    lines = []
    for run in runs:
        lines += ["", f"{run.name} ({run.number or 'not drafted'})"]
        lines += [f"  {s.step:<12}{s.milliseconds:>6} ms   {s.detail}".rstrip() for s in run.steps]
        lines += [f"  MISSING: {what}" for what in run.missing]
    milliseconds = sum(step.milliseconds for run in runs for step in run.steps)
    bad = sum(bool(run.missing) for run in runs)
    verdict = (
        f"{bad} of {len(runs)} proposals did not get all of it"
        if bad
        else (f"All there: {len(runs)} proposals, from draft to kickoff")
    )
    return "\n".join([*lines, "", f"{verdict} ({milliseconds / 1000:.1f} s)."])
