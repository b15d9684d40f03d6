"""REST resources of the domain `conversations`."""
