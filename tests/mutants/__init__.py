"""`make mutants`: each safeguard is taken away in turn, in a copy, and a named test must notice.

The lists are data: `jobs`, `database`, `rules`, `money` and others, one module for each part.
"""
