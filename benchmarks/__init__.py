"""How fast Service Engine X is, measured against the floor and against peers: `make bench`.

README.md says what the figures mean; RESULTS.md holds those of the last whole run.
"""
