"""Migrates an empty database up, down and up again, and compares it with the models each time.

`python -m tests.migration_roundtrip`; exits non-zero when a step fails or the models differ.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

from alembic.util import CommandError

from webapp.config import Settings
from webapp.core.database import check_models, migrate
from webapp.devstack.postgres import EmbeddedPostgres


def main() -> int:
    """Run the steps; 0 when all is well."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder), durable=False) as postgres,
    ):
        settings = Settings.from_environment(
            {
                "DATABASE_URL": postgres.owner_url,
                "REDIS_URL": "redis://127.0.0.1:1",
                "SECRET_KEY": secrets.token_hex(32),
            }
        )
        try:
            for revision in ("head", "base", "head"):
                print(f"{revision}: at {migrate(settings, revision)}", flush=True)
            check_models(settings)
        except CommandError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
