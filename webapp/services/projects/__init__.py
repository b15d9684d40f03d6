"""Projects: the deliverables of an engagement, and the phases they go through."""
