"""Every setting, read from the environment once and checked at start.

The reasons for the reliability settings stand beside them; most were measured.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from webapp.core.roles import APP_ROLE, DISPATCHER_ROLE, role_password

# More threads in one process spend their time waiting for each other: with 16 two processes on two
# cores answered 489 POSTs a second, with 4 they answered 617. More cores are for WEB_WORKERS.
DEFAULT_WEB_THREADS = 4
STRIPE_API_URL = "https://api.stripe.com"
MEGABYTE = 1024 * 1024
DEFAULT_FILE_MAX_MB, DEFAULT_FILES_QUOTA_MB = 100, 10 * 1024


class SettingsError(Exception):
    """The environment lacks a setting or holds one that cannot be used; the text lists them all."""


@dataclass(frozen=True)
class Settings:
    """The checked settings. URLs are SQLAlchemy URLs; `*_seconds` are seconds."""

    secret_key: bytes
    owner_url: URL | None
    app_url: URL
    dispatcher_url: URL
    redis_url: str
    base_url: str
    var_dir: Path
    smtp_url: str | None
    mail_from: str
    web_threads: int
    log_level: str
    rate_limits: bool = True
    trusted_proxies: int = 0
    metrics_token: str | None = None
    # Secrets stay out of what a Settings prints as.
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_webhook_secret: str | None = field(default=None, repr=False)
    stripe_api_url: str = STRIPE_API_URL
    webhooks_allow_loopback: bool = False
    files_dir: Path = Path("var/files")
    file_max_bytes: int = DEFAULT_FILE_MAX_MB * MEGABYTE
    files_quota_bytes: int = DEFAULT_FILES_QUOTA_MB * MEGABYTE

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read and check the settings. Raises SettingsError naming every bad variable."""
        env = os.environ if environment is None else environment
        wrong: list[str] = []

        def need(name: str, hint: str) -> str:
            value = env.get(name, "").strip()
            if not value:
                wrong.append(f"{name} is not set: {hint}")
            return value

        secret = need("SECRET_KEY", "at least 32 random characters, the same for every process")
        if secret and len(secret) < 32:
            wrong.append("SECRET_KEY is too short: at least 32 characters")
        owner = _database_url(env, "DATABASE_URL", wrong)
        app = _database_url(env, "DATABASE_APP_URL", wrong)
        dispatcher = _database_url(env, "DATABASE_DISPATCHER_URL", wrong)
        if owner is None and (app is None or dispatcher is None):
            wrong.append(
                "DATABASE_URL is not set: the owner's address, for example "
                "postgresql://owner:password@127.0.0.1:5432/service_engine_x"
            )
        redis_url = need("REDIS_URL", "for example redis://127.0.0.1:6379/0")
        base_url = env.get("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
        if not base_url.startswith(("http://", "https://")):
            wrong.append("BASE_URL must begin with http:// or https://")
        threads = env.get("WEB_THREADS", str(DEFAULT_WEB_THREADS))
        if not threads.isdigit() or not 1 <= int(threads) <= 1000:
            wrong.append("WEB_THREADS must be a whole number from 1 to 1000")
        rate_limits = env.get("RATE_LIMITS", "on")
        if rate_limits not in ("on", "off"):
            wrong.append("RATE_LIMITS must be on or off")
        loopback = env.get("WEBHOOKS_ALLOW_LOOPBACK", "off")
        if loopback not in ("on", "off"):
            wrong.append("WEBHOOKS_ALLOW_LOOPBACK must be on or off")
        proxies = env.get("TRUSTED_PROXIES", "0")
        if not proxies.isdigit() or int(proxies) > 10:
            wrong.append("TRUSTED_PROXIES must be the number of proxies in front, 0 to 10")
        metrics_token = env.get("METRICS_TOKEN", "").strip() or None
        if metrics_token is not None and len(metrics_token) < 16:
            wrong.append("METRICS_TOKEN is too short: at least 16 characters")
        stripe_key = env.get("STRIPE_API_KEY", "").strip() or None
        stripe_secret = env.get("STRIPE_WEBHOOK_SECRET", "").strip() or None
        if (stripe_key is None) != (stripe_secret is None):
            wrong.append("STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET are set together, or neither")
        stripe_url = (env.get("STRIPE_API_URL", "").strip() or STRIPE_API_URL).rstrip("/")
        if not stripe_url.startswith(("http://", "https://")):
            wrong.append("STRIPE_API_URL must begin with http:// or https://")
        file_max = _megabytes(env, "FILE_MAX_MB", DEFAULT_FILE_MAX_MB, wrong)
        files_quota = _megabytes(env, "FILES_QUOTA_MB", DEFAULT_FILES_QUOTA_MB, wrong)
        var_dir = Path(env.get("VAR_DIR", "var")).resolve()
        files_dir = env.get("FILES_DIR", "").strip()
        if wrong:
            raise SettingsError("\n".join(wrong))
        key = secret.encode()
        return cls(
            secret_key=key,
            owner_url=owner,
            app_url=app or _as_role(owner, APP_ROLE, key),
            dispatcher_url=dispatcher or _as_role(owner, DISPATCHER_ROLE, key),
            redis_url=redis_url,
            base_url=base_url,
            trusted_proxies=int(proxies),
            metrics_token=metrics_token,
            stripe_api_key=stripe_key,
            stripe_webhook_secret=stripe_secret,
            stripe_api_url=stripe_url,
            var_dir=var_dir,
            files_dir=Path(files_dir).resolve() if files_dir else var_dir / "files",
            file_max_bytes=file_max,
            files_quota_bytes=files_quota,
            webhooks_allow_loopback=loopback == "on",
            smtp_url=env.get("SMTP_URL") or None,
            mail_from=env.get("MAIL_FROM", "Service Engine X <no-reply@localhost>"),
            web_threads=int(threads),
            log_level=env.get("LOG_LEVEL", "INFO").upper(),
            rate_limits=rate_limits == "on",
        )

    @property
    def connect_args(self) -> dict[str, Any]:
        """A dead server is noticed in seconds; the session's timeouts belong to its role."""
        return {"connect_timeout": 3, "tcp_user_timeout": 10_000, "keepalives_idle": 10}

    def flask(self) -> dict[str, Any]:
        """The settings as Flask and its extensions read them."""
        pool = {
            "pool_timeout": 5,
            "pool_size": self.web_threads,
            "max_overflow": 4,
            # The one used last has its statements prepared; the others may stay asleep.
            "pool_use_lifo": True,
            "connect_args": self.connect_args,
        }
        return {
            "SECRET_KEY": self.secret_key,
            "SETTINGS": self,
            "SQLALCHEMY_DATABASE_URI": self.app_url,
            # A dead connection is noticed by the first statement, and another one taken.
            "SQLALCHEMY_ENGINE_OPTIONS": pool,
            # One statement a read, each its own transaction; a dead connection is retried.
            "SQLALCHEMY_BINDS": {
                "read": {
                    "url": self.app_url,
                    "isolation_level": "AUTOCOMMIT",
                    "pool_reset_on_return": None,  # there is nothing to roll back
                    **pool,
                }
            },
            "MAX_CONTENT_LENGTH": 1024 * 1024,
            "MAX_FORM_MEMORY_SIZE": 1024 * 1024,
            # Off for load and race tests, whose requests all come from one address.
            "RATELIMIT_ENABLED": self.rate_limits,
            "RATELIMIT_STORAGE_URI": self.redis_url,
            # Redis gone or frozen delays one request by half a second: the limiter asks twice
            # before each process counts by itself, and redis-py alone would try four times.
            "RATELIMIT_STORAGE_OPTIONS": {
                "socket_timeout": 0.25,
                "socket_connect_timeout": 0.25,
                "retry": Retry(NoBackoff(), 0),
            },
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            # Requests that meet the failure while another falls back are let through.
            "RATELIMIT_SWALLOW_ERRORS": True,
            "RATELIMIT_STRATEGY": "moving-window",
            "CELERY": self.celery(),
        }

    def celery(self) -> dict[str, Any]:
        """What producer and worker use (settings.md, *What is not a setting*)."""
        return {
            "broker_url": self.redis_url,
            "task_default_queue": "jobs.short",
            "task_ignore_result": True,  # results cost a third of the throughput; rows hold them
            "accept_content": ["json"],
            # Producer: Redis gone or frozen delays a request by half a second, once.
            "task_publish_retry": False,
            "broker_pool_limit": 4,
            "broker_connection_timeout": 0.5,
            "broker_transport_options": {
                "max_retries": 0,
                "socket_timeout": 0.5,
                "socket_connect_timeout": 0.5,
                "visibility_timeout": 120,  # above the hard time limit
            },
            # Worker: a message is acknowledged when its job has ended, and comes back if not.
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "worker_prefetch_multiplier": 1,
            "task_soft_time_limit": 30,
            "task_time_limit": 45,
            "worker_max_tasks_per_child": 5000,
            "worker_max_memory_per_child": 400_000,  # KiB
            "worker_soft_shutdown_timeout": 20,
            "broker_connection_max_retries": None,
            "broker_connection_retry_on_startup": True,
            "worker_hijack_root_logger": False,
            "worker_enable_remote_control": False,
            "worker_send_task_events": False,
        }

    def celery_worker_transport(self) -> dict[str, Any]:
        """The worker's own broker settings: it blocks on the queue longer than a producer may."""
        return {
            "visibility_timeout": 120,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
        }


def _megabytes(env: Mapping[str, str], name: str, default: int, wrong: list[str]) -> int:
    """A size in bytes; the setting is in megabytes (of 1024 × 1024 bytes)."""
    value = env.get(name, str(default))
    if not value.isdigit() or not 1 <= int(value) <= 100_000_000:
        wrong.append(f"{name} must be a whole number of megabytes, 1 to 100000000")
        return 0
    return int(value) * MEGABYTE


def _as_role(owner: URL | None, role: str, key: bytes) -> URL:
    assert owner is not None
    return owner.set(username=role, password=role_password(role, key))


def _database_url(env: Mapping[str, str], name: str, wrong: list[str]) -> URL | None:
    value = env.get(name, "").strip()
    if not value:
        return None
    try:
        url = make_url(value)
    except ArgumentError:
        wrong.append(f"{name} is not a database address")
        return None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        wrong.append(f"{name} must be a postgresql:// address")
        return None
    return url.set(drivername="postgresql+psycopg")
