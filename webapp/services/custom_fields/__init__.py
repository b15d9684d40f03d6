"""Custom fields: what organizations add to their records."""
