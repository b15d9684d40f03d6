"""Jobs on the wire. What a job is about, its payload, is never shown."""

from __future__ import annotations

from marshmallow import fields

from webapp.schemas.common import Moment, Output
from webapp.schemas.signing import JobBrief


class AttemptOut(Output):
    """One try at a job; without an outcome it never came to its end.

    `failed` counts, `excused` does not; `undeliverable` is the end of what can never work.
    """

    n = fields.Integer()
    started_at = Moment()
    ended_at = Moment(allow_none=True)
    worker = fields.String()
    outcome = fields.String(allow_none=True)
    error = fields.String(allow_none=True)


class JobProgress(JobBrief):
    """How far a job is: what everybody who may ask for work may know of it."""

    finished_at = Moment(allow_none=True)


class JobOut(JobProgress):
    """A job, as those who look after the jobs see it.

    It is dead once `max_attempts` of its `attempts` have failed without the `excused` ones.
    """

    attempts = fields.Integer()
    excused = fields.Integer()
    max_attempts = fields.Integer()
    run_at = Moment()
    last_error = fields.String(allow_none=True)
    attempts_log = fields.List(fields.Nested(AttemptOut))
