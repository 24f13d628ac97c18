"""The tables of the platform, the sessions that read them, and their migrations. SQLite or PostgreSQL."""
