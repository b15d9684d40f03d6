"""The driver's side of the database, apart from the tables: sessions, tenants, statements."""
