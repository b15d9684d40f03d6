"""The peer on FastAPI, as its documentation and SQLAlchemy's show it.

ORM models with relationships, an AsyncSession for each request from a dependency, statements built
in the handlers, and response models that read ORM objects. Everything is loaded by joins, which
measured best of the documented ways: selectinload takes a statement more for each collection.
It runs under uvicorn with uvloop and httptools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from sqlalchemy import Select, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import joinedload

from benchmarks.peers.fastapi_shared import (
    ORGANIZATION,
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
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


def engagements() -> Select[Engagement]:
    """Those that are not deleted, with company and contact."""
    return (
        select(Engagement)
        .where(Engagement.organization_id == ORGANIZATION, Engagement.deleted_at.is_(None))
        .options(joinedload(Engagement.client_company), joinedload(Engagement.contact))
    )


@app.get("/engagements/{engagement_id}", response_model=EngagementOut)
async def get_engagement(engagement_id: UUID, session: SessionDep) -> Engagement:
    found = await session.scalars(
        engagements()
        .where(Engagement.id == engagement_id)
        .options(joinedload(Engagement.projects).joinedload(Project.conversations))
    )
    engagement = found.unique().one_or_none()
    if engagement is None:
        raise HTTPException(404, "There is no engagement with this id.")
    return engagement


@app.get("/engagements", response_model=EngagementList)
async def list_engagements(
    request: Request,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> dict[str, Any]:
    statement = engagements()
    if cursor is not None:
        place = tuple_(Engagement.created_at, Engagement.id)
        statement = statement.where(place < after(cursor))
    newest_first = statement.order_by(Engagement.created_at.desc(), Engagement.id.desc())
    found = (await session.scalars(newest_first.limit(limit + 1))).all()
    last = found[limit - 1] if len(found) > limit else None
    next_link = next_page(last.created_at, last.id) if last else None
    links = {"self": request.url.path, "next": next_link}
    return {"data": found[:limit], "links": links, "meta": {"limit": limit}}


@app.post("/engagements", status_code=201, response_model=EngagementOut)
async def create_engagement(
    body: EngagementIn, session: SessionDep, response: Response
) -> Engagement:
    # A new one has no projects, and so no conversations: these are not asked for.
    engagement = Engagement(organization_id=ORGANIZATION, projects=[], **body.model_dump())
    session.add(engagement)
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(422, "A reference leads nowhere.") from error
    # Loads company and contact into the same object, in one statement.
    await session.scalars(engagements().where(Engagement.id == engagement.id))
    response.headers["Location"] = f"/engagements/{engagement.id}"
    return engagement
