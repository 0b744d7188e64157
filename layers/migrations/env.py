"""Alembic's entry: runs on the connection that `layers.database.migrate` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="alembic_version", version_table_schema="vault")
with context.begin_transaction():
    context.run_migrations()
