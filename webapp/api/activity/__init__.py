"""REST resources of the domain `activity`."""
