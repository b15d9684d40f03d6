"""What only developers run: drawing the reference pages, fetching third-party files."""
