"""Conversations about a project, and their messages (S 7d, S 7f)."""
