"""FastAPI, tuned: the application's own way of reading, rewritten for FastAPI.

One read is one statement in autocommit, with related records as JSON subqueries, and is built once
with named parameters; a write is a transaction. No ORM object is made to read. `fastapi_app.py` is
the ordinary one.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Query, Request, Response
from sqlalchemy import Select, bindparam, func, select, tuple_, type_coerce
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from benchmarks.peers.fastapi_shared import (
    CONVERSATION,
    ENGAGEMENT,
    ORGANIZATION,
    PHASE,
    PROJECT,
    Company,
    Contact,
    Conversation,
    Engagement,
    EngagementIn,
    EngagementList,
    EngagementOut,
    Project,
    after,
    engine,
    next_page,
)

Session = async_sessionmaker(engine, expire_on_commit=False)
Reads = async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))


def _json(source: Select[Any]) -> Any:
    return type_coerce(source.scalar_subquery(), JSON)


COMPANY = _json(
    select(func.json_build_object("id", Company.id, "name", Company.name)).where(
        Company.organization_id == Engagement.organization_id,
        Company.id == Engagement.client_company_id,
    )
).label("client_company")
CONTACT = _json(
    select(
        func.json_build_object(
            "id", Contact.id, "first_name", Contact.first_name, "last_name", Contact.last_name,
            "email", Contact.email,
        )
    ).where(
        Contact.organization_id == Engagement.organization_id, Contact.id == Engagement.contact_id
    )
).label("contact")  # fmt: skip
PROJECTS = _json(
    select(
        func.json_agg(
            aggregate_order_by(
                func.json_build_object(
                    "id", Project.id, "name", Project.name, "phase", Project.phase_slug,
                    "status", Project.status_slug,
                ),
                Project.id,
            )
        )
    ).where(
        Project.organization_id == Engagement.organization_id,
        Project.engagement_id == Engagement.id,
        Project.deleted_at.is_(None),
    )
).label("projects")  # fmt: skip
CONVERSATIONS = _json(
    select(
        func.json_agg(
            aggregate_order_by(
                func.json_build_object(
                    "id", Conversation.id, "project_id", Conversation.project_id,
                    "subject", Conversation.subject, "status", Conversation.status_slug,
                    "last_message_at", Conversation.last_message_at,
                ),
                Conversation.id,
            )
        )
    )
    .join(
        Project,
        (Project.organization_id == Conversation.organization_id)
        & (Project.id == Conversation.project_id),
    )
    .where(
        Project.organization_id == Engagement.organization_id,
        Project.engagement_id == Engagement.id,
        Project.deleted_at.is_(None),
        Conversation.deleted_at.is_(None),
    )
).label("conversations")  # fmt: skip
LISTED = select(*Engagement.__table__.columns, COMPANY, CONTACT).where(
    Engagement.organization_id == ORGANIZATION, Engagement.deleted_at.is_(None)
)
# Built once with named parameters: building them anew would cost more than running them.
JUST_MADE = LISTED.where(Engagement.id == bindparam("wanted"))
WHOLE = JUST_MADE.add_columns(PROJECTS, CONVERSATIONS)
FIRST_PAGE = LISTED.order_by(Engagement.created_at.desc(), Engagement.id.desc()).limit(
    bindparam("page_limit")
)
LATER_PAGE = FIRST_PAGE.where(
    tuple_(Engagement.created_at, Engagement.id)
    < tuple_(
        bindparam("after_time", type_=Engagement.created_at.type),
        bindparam("after_id", type_=Engagement.id.type),
    )
)

app = FastAPI()


def labelled(row: dict[str, Any], **machines: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """The row with numbers and labels in the place of the states' slugs."""
    for name, states in machines.items():
        row[f"{name}_id"], row[name] = states[row[name]]
    return row


def whole(row: Any) -> dict[str, Any]:
    data = labelled(dict(row), status=ENGAGEMENT)
    data["projects"] = [
        labelled(project, status=PROJECT, phase=PHASE) for project in data["projects"] or []
    ]
    data["conversations"] = [
        labelled(conversation, status=CONVERSATION) for conversation in data["conversations"] or []
    ]
    return data


@app.get("/engagements/{engagement_id}")
async def get_engagement(engagement_id: UUID) -> EngagementOut:
    async with Reads() as session:
        found = await session.execute(WHOLE, {"wanted": engagement_id})
        row = found.mappings().one_or_none()
    if row is None:
        raise HTTPException(404, "There is no engagement with this id.")
    return whole(row)  # type: ignore[return-value] - the response model validates it, once


@app.get("/engagements")
async def list_engagements(
    request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None
) -> EngagementList:
    statement, values = FIRST_PAGE, {"page_limit": limit + 1}
    if cursor is not None:
        statement = LATER_PAGE
        moment, last_id = after(cursor)
        values |= {"after_time": moment, "after_id": last_id}
    async with Reads() as session:
        rows = (await session.execute(statement, values)).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    next_link = next_page(last["created_at"], last["id"]) if last else None
    data = [labelled(dict(row), status=ENGAGEMENT) for row in rows[:limit]]
    links = {"self": str(request.url.path), "next": next_link}
    return {"data": data, "links": links, "meta": {"limit": limit}}  # type: ignore[return-value]


@app.post("/engagements", status_code=201)
async def create_engagement(body: EngagementIn, response: Response) -> EngagementOut:
    engagement = Engagement(organization_id=ORGANIZATION, **body.model_dump())
    session: AsyncSession
    try:
        async with Session() as session, session.begin():
            session.add(engagement)
            await session.flush()
            # A new one has neither projects nor conversations, so these are not asked for.
            found = await session.execute(JUST_MADE, {"wanted": engagement.id})
            row = found.mappings().one()
    except IntegrityError as error:
        raise HTTPException(422, "A reference leads nowhere.") from error
    response.headers["Location"] = f"/engagements/{engagement.id}"
    return whole({**row, "projects": [], "conversations": []})  # type: ignore[return-value]
