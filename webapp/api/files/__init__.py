"""REST resources of the domain `files`."""
