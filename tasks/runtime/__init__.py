"""How jobs are run: claimed and done, hinted at, opened by the clock, in a worker's processes."""
