"""Alembic's entry point: runs migrations on the connection that `Database.open` passes."""

from alembic import context

from storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite supports few ALTER statements
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
