"""The night shift: Celery tasks, one module per domain. Each calls one service and returns."""
