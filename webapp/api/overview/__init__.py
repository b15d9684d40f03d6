"""REST resources over several domains."""
