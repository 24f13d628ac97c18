"""What tests need and users do not: a PostgreSQL server, HTTP peers, journals. Imported as `support.…`."""
