"""One chain of Alembic. A migration that is on the main branch is not edited."""
