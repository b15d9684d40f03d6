"""What jobs do, one module per domain; each body calls one service and returns.

The Celery tasks are one for each lane (`tasks/runtime/lanes.py`).
"""

from tasks import (
    activity,
    billing,
    conversations,
    deletion,
    engagements,
    files,
    identity,
    jobs,
    sales,
    webhooks,
)
from tasks.runtime import lanes

__all__ = [
    "activity",
    "billing",
    "conversations",
    "deletion",
    "engagements",
    "files",
    "identity",
    "jobs",
    "lanes",
    "sales",
    "webhooks",
]
