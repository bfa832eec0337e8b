"""`compare`: several models side by side, on the same queries, suites and texts."""
