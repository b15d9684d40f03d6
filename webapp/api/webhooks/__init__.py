"""REST resources of the domain `webhooks`."""
