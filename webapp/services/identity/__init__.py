"""Organizations, users and keys."""
