"""How jobs are run: claimed and done, by lanes, opened by the clock, in a worker's processes."""
