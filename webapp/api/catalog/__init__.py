"""REST resources of the domain `catalog`."""
