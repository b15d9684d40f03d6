"""A tenant that has one of everything, with canary words in whatever people write."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from tests.support.bank import entries, imported
from tests.support.billing import ready_to_bill
from tests.support.forms import uploaded
from tests.support.logins import client_at, log_in
from tests.support.tenants import Api, Tenant
from webapp.services.identity.accounts import create_user

CANARY = "kanarienvogel"


@dataclass
class World:
    """The ids of one of each kind of record, by the name its routes use for them."""

    tenant: Tenant
    api: Api
    ids: dict[str, str]
    open_token: str


def populate(tenant: Tenant, api: Api, word: str = CANARY) -> World:
    """Make one of everything over REST; every text contains `word`."""

    def named(**more: Any) -> dict[str, Any]:
        return {"name": f"{word} name", **more}

    company = api.made("/api/companies", named(notes=f"{word} notes"))
    contact = api.made(
        "/api/contacts",
        {
            "first_name": word,
            "last_name": word,
            "email": f"{word}@example.com",
            "client_company_id": company["id"],
        },
    )
    deal = api.made("/api/deals", named(client_company_id=company["id"], contact_id=contact["id"]))
    template = api.made(
        "/api/project-templates",
        named(milestones=[named()], tasks=[named(milestone=f"{word} name")]),
    )
    field = api.made(
        "/api/custom-fields",
        {"entity_type": "deal", "key": "canary", "label": f"{word} label", "type": "text"},
    )
    service = api.made("/api/services", named(price="10.00", currency="EUR"))
    package = api.made(
        "/api/engagement-templates", named(services=[{"service_id": service["id"], **named()}])
    )
    items = [{"name": f"{word} item", "price": "10.00", "service_id": service["id"]}]
    about = {
        "client_company": None,
        "contact": None,
        "client_company_id": company["id"],
        "contact_id": contact["id"],
        "items": items,
        "notes": f"{word} notes",
        "name": f"{word} proposal",
    }
    about = {key: value for key, value in about.items() if value is not None}
    signed = api.made("/api/proposals", {"currency": "EUR", "deal_id": deal["id"], **about})
    api.made(f"/api/proposals/{signed['id']}/send")
    accepted = api.made(f"/api/proposals/{signed['id']}/sign", Prefer="respond-async")
    tenant.run_jobs()
    waiting = api.made("/api/proposals", {"currency": "EUR", **about})
    sent = api.made(f"/api/proposals/{waiting['id']}/send")
    result = api.get(f"/api/proposals/{signed['id']}").json
    engagement_id = result["converted_engagement_id"]
    engagement = api.get(f"/api/engagements/{engagement_id}").json
    project_id = engagement["projects"][0]["id"]
    conversation_id = engagement["conversations"][0]["id"]
    bill = ready_to_bill(api, tenant, word)
    invoice = bill.final(notes=f"{word} invoice")
    payment = bill.pay(invoice, "119.00", reference=f"{word} reference")
    credit = bill.act(invoice, "credit", {"amount": "19.00", "reason": f"{word} reason"})
    draft = bill.draft()
    row = f"2026-03-02,1.00,{word} payer,{word} {bill.final()['number']}"
    statement = imported(api, f"date,amount,name,purpose\n{row}\n", "text/csv")
    [entry] = entries(api, statement)
    schedule = api.made(
        "/api/invoice-schedules",
        {
            "engagement_id": bill.engagement["id"],
            "name": f"{word} care",
            "kind": "monthly",
            "amount": "10.00",
            "starts_on": dt.datetime.now(dt.UTC).date().isoformat(),
        },
    )
    address = f"{word}@{tenant.slug}.example"
    user_id = tenant.run(
        lambda: create_user(address, f"{word} worker", "a long enough password", role="member").id
    )
    worked = api.made(
        "/api/time-entries",
        {"project_id": project_id, "user_id": str(user_id), "minutes": 5, "note": f"{word} note"},
    )
    milestone = api.made(f"/api/projects/{project_id}/milestones", named())
    task = api.made(
        f"/api/projects/{project_id}/tasks",
        named(description=f"{word} task", milestone_id=milestone["id"]),
    )
    contract = api.made(
        "/api/contracts",
        named(body=f"{word} body", client_company_id=company["id"], contact_id=contact["id"]),
    )
    api.made(f"/api/engagements/{engagement_id}/contracts", {"contract_id": contract["id"]})
    message = api.made(
        f"/api/projects/{project_id}/conversations/{conversation_id}/messages",
        {"content": f"{word} message", "mentions": [str(user_id)]},
    )
    key = api.made("/api/api-keys", {"name": f"{word} key", "role": "viewer"})
    [member] = api.get(f"/api/members?user_id={user_id}").json["data"]
    client = client_at(tenant.app)
    assert log_in(client, address, "a long enough password").status_code == 303
    [session] = api.get("/api/sessions").json["data"]
    invitation = api.made(
        "/api/invitations", {"email": f"invited.{word}@{tenant.slug}.example", "role": "viewer"}
    )
    [event] = api.get(f"/api/audit-log?entity_id={key['id']}").json["data"]
    talk = f"/api/projects/{project_id}/conversations/{conversation_id}"
    assert api.put(f"{talk}/messages/{message['id']}", {"content": f"{word} text"}).status == 200
    api.made(f"{talk}/read")
    file = uploaded(api, name=f"{word}.pdf", project_id=project_id, visible_to_client="true")
    asked = {"decision": "changes_requested", "comment": f"{word} comment"}
    api.made(f"/api/files/{file['id']}/approve", asked)
    [file_version] = api.get(f"/api/files/{file['id']}/versions").json["data"]
    # Nobody is there: its first try fails at once, and it waits for the next.
    hook = {"url": f"https://{word}.invalid/", "description": word, "event_types": ["deal.created"]}
    webhook = api.made("/api/webhooks", hook)
    delivery = api.made(f"/api/webhooks/{webhook['id']}/test")
    tenant.run_jobs()
    ids = {
        "api_key_id": key["id"],
        "audit_event_id": event["id"],
        "member_id": member["id"],
        "session_id": session["id"],
        "invitation_id": invitation["id"],
        "company_id": company["id"],
        "contact_id": contact["id"],
        "deal_id": deal["id"],
        "service_id": service["id"],
        "contract_id": contract["id"],
        "proposal_id": signed["id"],
        "engagement_id": engagement_id,
        "project_id": project_id,
        "conversation_id": conversation_id,
        "message_id": message["id"],
        "order_id": result["converted_order_id"],
        "project_template_id": template["id"],
        "engagement_template_id": package["id"],
        "time_entry_id": worked["id"],
        "user_id": str(user_id),
        "custom_field_id": field["id"],
        "milestone_id": milestone["id"],
        "task_id": task["id"],
        "invoice_id": invoice["id"],
        "payment_id": payment["id"],
        "credit_note_id": credit["id"],
        "invoice_schedule_id": schedule["id"],
        "bank_statement_id": statement["id"],
        "bank_entry_id": entry["id"],
        "draft_invoice_id": draft["id"],
        "file_id": file["id"],
        "file_version_id": file_version["id"],
        "webhook_id": webhook["id"],
        "webhook_delivery_id": delivery["id"],
        "job_id": accepted["job"]["id"],
        "waiting_proposal_id": waiting["id"],
    }
    return World(tenant, api, ids, sent["signing_url"].rsplit("/", 1)[1])
