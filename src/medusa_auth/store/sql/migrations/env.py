"""Alembic runs this: the migrations, over the connection that `migrate` gives."""

from alembic import context

from medusa_auth.store.sql import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    version_table="auth_schema_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
