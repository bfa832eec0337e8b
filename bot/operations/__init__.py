"""For operators: start-up, checks, health, metrics, backups, logs."""
