"""The activity log: what happened to what, and who did it."""
