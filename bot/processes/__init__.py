"""Several bot processes: shards, who leads, what each does for itself."""
