"""Engagements: the hub of the work for a client (document E; document S, 7b)."""
