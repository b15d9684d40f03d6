"""Conversations about a project, and their messages (document S, 7d and 7f)."""
