"""From a question to its reply."""
