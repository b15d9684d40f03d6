"""A server that speaks Stripe's protocol as far as Checkout needs it, and signs as it does.

Forms in, JSON out, bearer keys, idempotency keys, errors of their own form (Stripe's documentation,
*API reference*, *Idempotent requests*, *Verify webhook signatures manually*).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from tests.support.tenants import Answer, Api

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
SECRET = "whsec_5Tq9mKf2Rw8xYzLp"
WEBHOOK = "/api/webhooks/stripe"


@dataclass
class StripeServer:
    """What was asked of the server, and what it answers instead when told to fail."""

    url: str = ""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    failures: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    on_create: Callable[[dict[str, Any]], None] | None = None
    answers: dict[str, tuple[dict[str, str], int, dict[str, Any]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(
        self, path: str, form: dict[str, str], key: str | None, idempotency_key: str | None
    ) -> tuple[int, dict[str, Any]]:
        """The status and body for a POST."""
        with self.lock:
            if key != f"Bearer {KEY}":
                return 401, failure("invalid_request_error", f"Invalid API Key provided: {key}")
            self.requests.append((path, form))
            if self.failures:
                return self.failures.pop(0)
            if idempotency_key in self.answers:
                known, status, body = self.answers[idempotency_key]
                if known != form:
                    return 400, failure("idempotency_error", "Keys are for the same parameters.")
                return status, body
            status, body = self.carry_out(path, form)
            if idempotency_key is not None and status < 300:
                self.answers[idempotency_key] = (form, status, body)
        if self.on_create is not None:
            self.on_create(body)
        return status, body

    def carry_out(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/checkout/sessions":
            return 200, self.create(form)
        session_id, _, verb = path.removeprefix("/v1/checkout/sessions/").partition("/")
        session = self.sessions.get(session_id)
        if session is None or verb != "expire":
            return 404, failure("invalid_request_error", "No such checkout.session")
        if session["status"] != "open":
            return 400, failure("invalid_request_error", "This Session is not in status `open`.")
        session["status"] = "expired"
        return 200, session

    def create(self, form: dict[str, str]) -> dict[str, Any]:
        assert form["mode"] == "payment"
        assert form["line_items[0][quantity]"] == "1"
        price = "line_items[0][price_data]"
        session_id = f"cs_test_{next(self.numbers)}_{id(self)}"
        metadata = {
            name.removeprefix("metadata[").removesuffix("]"): value
            for name, value in form.items()
            if name.startswith("metadata[")
        }
        assert all(form[f"payment_intent_data[metadata][{k}]"] == v for k, v in metadata.items())
        self.sessions[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": int(form[f"{price}[unit_amount]"]),
            "currency": form[f"{price}[currency]"],
            "url": f"https://checkout.stripe.com/c/pay/{session_id}",
            "expires_at": int(time.time()) + 24 * 60 * 60,
            "client_reference_id": form["client_reference_id"],
            "metadata": metadata,
        }
        return self.sessions[session_id]

    def made_for(self, link: dict[str, Any]) -> dict[str, Any]:
        """Stripe's own session behind a payment link."""
        [found] = [s for s in self.sessions.values() if s["client_reference_id"] == link["id"]]
        return found

    def event(self, kind: str, link: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """An event about the link's session, or about the charge that paid it."""
        session = self.made_for(link)
        if kind == "charge.refunded":
            about = {
                "id": "ch_1",
                "object": "charge",
                "payment_intent": f"pi_{session['id']}",
                "currency": session["currency"],
                "metadata": session["metadata"],
                **changes,
            }
        else:
            paid = {"payment_status": "paid", "payment_intent": f"pi_{session['id']}"}
            about = {**session, **paid, **changes}
        return {
            "id": f"evt_{next(self.numbers)}_{id(self)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": about},
        }


def failure(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, "code": code}}


def signed(payload: bytes, *, secret: str = SECRET, at: int | None = None) -> str:
    """The header with which Stripe signs a webhook."""
    at = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac},v0={'0' * 64}"


def deliver(anybody: Api, event: dict[str, Any]) -> Answer:
    """Send the event as Stripe does."""
    payload = json.dumps(event, indent=2).encode()
    return anybody.post(WEBHOOK, payload, Stripe_Signature=signed(payload))


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """The server, on a port of its own."""
    state = StripeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = state.answer(
                self.path,
                dict(parse_qsl(data.decode(), keep_blank_values=True)),
                self.headers.get("Authorization"),
                self.headers.get("Idempotency-Key"),
            )
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests look at the requests themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
