"""REST resources of the domain `billing`."""
