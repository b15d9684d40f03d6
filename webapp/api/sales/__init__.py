"""REST resources of the domain `sales`."""
