"""`make chaos`: the real stack under load, broken on purpose, and counted afterwards."""
