"""Every business rule, once. Knows no HTTP and no Celery; commits nothing."""
