"""Connections, locks and retries of SQLite and PostgreSQL."""
