"""The custom fields that records begin with which nobody fills in by hand."""

from __future__ import annotations

from typing import Any

from models.db.queries import CompiledQuery

# Few: an organization's own definitions.
_DEFAULTS = CompiledQuery.of_sql("""
    SELECT entity_type, json_object_agg(key, default_value) AS defaults
    FROM custom_field_definitions
    WHERE entity_type = ANY(%(kinds)s) AND archived_at IS NULL AND default_value IS NOT NULL
    GROUP BY entity_type""")


def defaults_of(*kinds: str) -> dict[str, dict[str, Any]]:
    """The defaults of these kinds of record, each by its fields' keys, in one statement.

    A required field without a default is left out: it is asked for when somebody changes the
    record (rulings.md, *Custom fields*).
    """
    found = {row["entity_type"]: row["defaults"] for row in _DEFAULTS.all(kinds=list(kinds))}
    return {kind: found.get(kind, {}) for kind in kinds}
