"""Engagements: the hub of the work for a client (E, *Purpose*; S 7b)."""
