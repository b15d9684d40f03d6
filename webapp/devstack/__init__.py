"""What runs on one machine: the embedded PostgreSQL and Valkey, and the supervisor of `sx up`.

`EmbeddedPostgres` and `EmbeddedValkey` also serve the test suite. This package imports nothing of
the application: it stands under it.
"""
