"""What the signed document of a contract prints, and the page where it is signed shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from webapp.services.billing.terms import told
from webapp.services.common.days import in_words
from webapp.services.sales.document_text import Clean, blocks_of


def contract_view(content: Mapping[str, Any], clean: Clean) -> dict[str, Any]:
    """The frozen content of a contract as the template of signed documents takes it."""
    contact = content["contact"] or {}
    person = " ".join(filter(None, (contact.get("first_name"), contact.get("last_name"))))
    client = (content["client"]["name"], person, contact.get("email"))
    return {
        "kind": "Contract",
        "number": clean(content["number"]),
        "version": "1",
        "name": clean(content["name"]),
        "currency": clean(content["currency"] or ""),
        "organization": clean(content["organization"]["name"]),
        "client": [clean(line) for line in dict.fromkeys(client) if line],
        "facts": [{"name": name, "value": clean(value)} for name, value in facts_of(content)],
        "sections": [{"title": "What is agreed", "blocks": blocks_of(content["body"], clean)}],
        "terms": [{"when": clean(when), "amount": amount} for when, amount in terms_of(content)],
        "sent": "",
        "valid_until": "",
        "items": [],
        "total": "",
        "notes": "",
    }


def facts_of(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Its term and its worth in words."""
    facts = []
    for name, key in (("Begins", "start_date"), ("Ends", "end_date")):
        if content[key]:
            facts.append((name, in_words(dt.date.fromisoformat(content[key]))))
    if content["total_value"] is not None:
        worth = f"{content['currency']} {Decimal(content['total_value']):,.2f}"
        facts.append(("Worth, without tax", worth))
    if content["auto_renew"]:
        facts.append(("Renewal", "Is to be renewed at its end"))
    if content["notice_days"] is not None:
        facts.append(("Notice", f"{content['notice_days']} days"))
    return facts


def terms_of(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it is billed, in words: when, and how much (net)."""
    if content.get("billing") is None:
        return []
    start = "signing" if content["start_date"] is None else "the day it begins"
    return told(content["billing"], Decimal(content["total_value"]), start=start)
