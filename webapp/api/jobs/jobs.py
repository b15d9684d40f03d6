"""Jobs: the work that waits, runs, is done or has failed."""

from __future__ import annotations

from uuid import UUID

from marshmallow import validate

from models.db.tenancy import current_principal
from models.jobs import JOB_STATES
from webapp.api.framework.operations import ApiBlueprint
from webapp.api.framework.resource import Resource
from webapp.auth.permissions import may
from webapp.http.responses import ApiResponse
from webapp.schemas.common import PlainText
from webapp.schemas.jobs import JobOut, JobProgress
from webapp.services.jobs.operations import JOBS

blueprint = ApiBlueprint(
    "jobs", "/api/jobs", description="The work that waits, runs, is done or has failed."
)

jobs = Resource(
    blueprint,
    "job",
    records=JOBS,
    out=JobOut,
    filters={
        "state": PlainText(validate=validate.OneOf(JOB_STATES)),
        "kind": PlainText(validate=validate.Length(1, 64)),
    },
)
jobs.list("List jobs")


# Who asked for a signature may follow its job: a 202 answer sends them here.
@blueprint.operation("GET", "/<uuid:job_id>", permission="sales:read", out=JobOut, has_etag=True)
def get_job(job_id: UUID) -> ApiResponse:
    """Retrieve a job; its attempts and errors only with the permission jobs:read"""
    row = JOBS.get(job_id)
    schema = JobOut() if may(current_principal(), "jobs:read") else JobProgress()
    return ApiResponse(200, schema.dump(row), row_version=row["attempts"])
