"""Clients that drive the product and keep a log of what they asked for and what they were told.

Every request that changes something is written down (fsync) before it is sent and again when its
answer came, so the log is what a caller could prove. A request without an answer is sent again with
the same key.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.support.tenants import a_signature

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 12.0
PATIENCE_SECONDS = 120.0  # how long one operation is tried
PREFERENCES = ("respond-async", "wait=3", "")
READ = "read"  # the kind of operation that changes nothing


class Unacknowledged(Exception):
    """No answer came in all the time that was given."""


class Refused(Exception):
    """The product answered with an error that no retry mends."""


class Journal:
    """One client's log: a JSON object a line, each on the disk before the client goes on."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, **entry: Any) -> None:
        """Append one entry and wait until it is stored."""
        os.write(self._file, json.dumps({"time": time.time(), **entry}).encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@dataclass(frozen=True)
class TurnedAway:
    """A signature that was answered 429 or 503: when it was sent and answered (time.time())."""

    sent: float
    answered: float
    status: int
    text: str


@dataclass
class Tally:
    """What all clients count together, for the progress line and the end."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    turned_away: list[TurnedAway] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str) -> None:
        """One more acknowledged operation of this kind."""
        with self.lock:
            self.acknowledged[kind] = self.acknowledged.get(kind, 0) + 1


class Caller:
    """Sends requests until they are answered. `canary` marks its texts, `foreign` the others'."""

    def __init__(
        self, base_url: str, api_key: str, journal: Journal, tally: Tally, canary: str, foreign: str
    ) -> None:
        self.canary = canary
        self._base_url, self._api_key = base_url, api_key
        self._journal, self._tally, self._foreign = journal, tally, foreign
        self._http = requests.Session()
        self._http.trust_env = False
        self.longest_pause = 1.0

    def do(
        self,
        kind: str,
        subject: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        prefer: str = "",
        public: bool = False,
        key: str | None = None,
        **facts: Any,
    ) -> Any:
        """Send one operation until it is acknowledged; its JSON.

        `subject` and `facts` tell the oracle what to look for; POSTs carry a key of their own,
        the same in every try. Raises Unacknowledged and Refused.
        """
        key = key or uuid4().hex
        headers = {"Prefer": prefer} if prefer else {}
        if not public:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if method == "POST":
            headers["Idempotency-Key"] = key
        told = {"op": key, "kind": kind, "subject": subject, **facts}
        deadline, attempt = time.monotonic() + PATIENCE_SECONDS, 0
        while time.monotonic() < deadline:
            attempt += 1
            self._write(phase="intent", attempt=attempt, **told)
            sent = time.time()
            try:
                answer = self._http.request(
                    method,
                    self._base_url + path,
                    json=body,
                    headers=headers,
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                )
            except requests.RequestException as error:
                self._write(phase="outcome", error=type(error).__name__, **told)
            else:
                acknowledged = answer.status_code < 300
                self._write(
                    phase="outcome", status=answer.status_code, acknowledged=acknowledged, **told
                )
                if self._foreign in answer.text:
                    self._tally.leaks.append(f"{method} {path} answered another tenant's text")
                if acknowledged:
                    self._tally.count(kind)
                    return answer.json()
                if kind == "sign" and answer.status_code in (429, 503):
                    self._tally.turned_away.append(
                        TurnedAway(sent, time.time(), answer.status_code, answer.text[:200])
                    )
                if answer.status_code != 429 and answer.status_code < 500:
                    reason = f"{kind} try {attempt}: {answer.status_code} {answer.text[:300]}"
                    self._tally.refusals.append(reason)
                    raise Refused(reason)
            pause = min(0.1 * 2**attempt, self.longest_pause)
            time.sleep(pause * random.uniform(0.5, 1.0))
        raise Unacknowledged(f"{kind} {subject}")

    def _write(self, *, kind: str, **entry: Any) -> None:
        if kind != READ:
            self._journal.write(kind=kind, **entry)

    def create_proposal(self, items: int, **changes: Any) -> dict[str, Any]:
        """A draft, for a client of its own."""
        name = f"{self.canary} {uuid4().hex}"
        body = {
            "name": name,
            "currency": "EUR",
            "client_company": {"name": f"{self.canary} company"},
            "contact": {
                "first_name": self.canary,
                "last_name": "Ray",
                "email": f"{self.canary}.{name[-32:]}@example.com",
            },
            "items": [{"name": f"{self.canary} {n}", "price": "250.00"} for n in range(items)],
            **changes,
        }
        made: dict[str, Any] = self.do("create proposal", name, "POST", "/api/proposals", body)
        return {**made, "items": items, "address": body["contact"]["email"]}

    def send(self, draft: dict[str, Any]) -> dict[str, Any]:
        """Send a draft; it waits to be signed, with its `token`."""
        path = f"/api/proposals/{draft['id']}/send"
        sent: dict[str, Any] = self.do("send proposal", draft["id"], "POST", path)
        token = sent["signing_url"].rsplit("/", 1)[1]
        return {**sent, "token": token, "items": draft["items"], "address": draft["address"]}

    def send_proposal(self, items: int, **changes: Any) -> dict[str, Any]:
        """A proposal that waits to be signed, with its `token`."""
        return self.send(self.create_proposal(items, **changes))

    def sign(self, proposal: dict[str, Any], *, prefer: str, key: str | None = None) -> Any:
        """Sign as the client who holds the link."""
        return self.do(
            "sign",
            proposal["id"],
            "POST",
            f"/api/public/proposals/{proposal['token']}/sign",
            a_signature(proposal["content_sha256"], signer_name=f"{self.canary} Ray"),
            prefer=prefer,
            public=True,
            key=key,
            items=proposal["items"],
        )

    def wait_until_fulfilled(self, proposal_id: str, pause: float = 0.2) -> dict[str, Any]:
        """The proposal, once its signature has been carried out. Raises Unacknowledged."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.do(
                READ, proposal_id, "GET", f"/api/proposals/{proposal_id}"
            )
            if found["converted_engagement_id"] and found["converted_order_id"]:
                return found
            time.sleep(pause)
        raise Unacknowledged(f"fulfilment of {proposal_id}")


class Client(threading.Thread, ABC):
    """Does `_flow` again and again, at a pace, until told to stop."""

    def __init__(
        self, name: str, caller: Caller, stop: threading.Event, seed: int, seconds_a_flow: float
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.caller = caller
        self.problems: list[str] = []
        self._stop_asked = stop
        self._random = random.Random(seed)
        self._seconds_a_flow = seconds_a_flow

    def run(self) -> None:
        self._stop_asked.wait(self._random.uniform(0, self._seconds_a_flow))
        while not self._stop_asked.is_set():
            begin = time.monotonic()
            try:
                self._flow()
            except (Refused, Unacknowledged) as error:
                self.problems.append(f"{type(error).__name__}: {error}")
            except Exception as error:  # the run must not pass because a client broke
                self.problems.append(f"the client broke: {error!r}")
            self._stop_asked.wait(max(0.0, begin + self._seconds_a_flow - time.monotonic()))

    @abstractmethod
    def _flow(self) -> None:
        """One round of what this client does. Raises Refused and Unacknowledged."""


class FlowClient(Client):
    """Goes through whole flows."""

    def _flow(self) -> None:
        """Send, view, sign; then messages, a pause and a step in what the signature made."""
        caller, chance = self.caller, self._random.random
        proposal = caller.send_proposal(self._random.randint(1, 3))
        path = f"/api/public/proposals/{proposal['token']}"
        caller.do(READ, proposal["id"], "GET", path, public=True)
        prefer, key = self._random.choice(PREFERENCES), uuid4().hex
        caller.sign(proposal, prefer=prefer, key=key)
        if chance() < 0.1:  # an answer that came is asked for again
            caller.sign(proposal, prefer=prefer, key=key)
        signed = caller.wait_until_fulfilled(proposal["id"])
        engagement_id = signed["converted_engagement_id"]
        engagement = caller.do(READ, engagement_id, "GET", f"/api/engagements/{engagement_id}")
        conversation = self._random.choice(engagement["conversations"])
        for _ in range(2):
            self._write(conversation["project_id"], conversation["id"], chance() < 0.3)
        project_id = conversation["project_id"]
        if chance() < 0.5:
            for status in ("Paused", "Active"):
                self._move(project_id, status)
        if chance() < 0.5:
            caller.do(
                "advance",
                project_id,
                "POST",
                f"/api/projects/{project_id}/advance",
                {"expected_phase": "Kickoff"},
            )

    def _write(self, project_id: str, conversation_id: str, is_internal: bool) -> None:
        content, key = f"{self.caller.canary} {uuid4().hex}", uuid4().hex
        self.caller.do(
            "message",
            content,
            "POST",
            f"/api/projects/{project_id}/conversations/{conversation_id}/messages",
            {"content": content, "is_internal": is_internal},
            key=key,
        )

    def _move(self, project_id: str, status: str) -> None:
        path = f"/api/projects/{project_id}"
        self.caller.do("status", project_id, "PUT", path, {"status": status}, to=status)


class AwaitingClient(Client):
    """Signs, awaits its engagement, and only then signs again."""

    def _flow(self) -> None:
        proposal = self.caller.send_proposal(1)
        self.caller.sign(proposal, prefer="respond-async")
        self.caller.wait_until_fulfilled(proposal["id"])
