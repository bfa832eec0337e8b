"""Alembic migrations, applied by `storage.database.Database.open`."""
