"""Celery tasks, one module per domain. Each calls one service and returns."""

from tasks import activity, conversations, deletion, jobs, sales

__all__ = ["activity", "conversations", "deletion", "jobs", "sales"]
