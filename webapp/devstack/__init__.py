"""What runs on one machine: the embedded PostgreSQL and Valkey, and the supervisor of `sx up`.

`EmbeddedPostgres` and `EmbeddedValkey` also serve the test suite. Of the
application this package imports only what says how a migrated database looks, which loads nothing
more: the supervisor stands under it.
"""
