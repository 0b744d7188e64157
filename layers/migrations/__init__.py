"""Alembic migrations of the vault, forward only. Releases and grants are no migrations: they are rebuilt after it."""
