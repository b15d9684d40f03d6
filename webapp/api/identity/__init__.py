"""REST resources of the domain `identity`."""
