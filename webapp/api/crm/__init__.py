"""REST resources of the domain `crm`."""
