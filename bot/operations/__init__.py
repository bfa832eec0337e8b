"""Health, metrics and backups, for the one who runs it."""
