"""REST resources of the domain `jobs`."""
