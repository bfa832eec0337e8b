"""A run from opening its row in the database to its outcome."""
