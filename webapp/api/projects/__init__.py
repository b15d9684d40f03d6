"""REST resources of the domain `projects`."""
