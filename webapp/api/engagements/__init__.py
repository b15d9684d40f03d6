"""REST resources of the domain `engagements`."""
