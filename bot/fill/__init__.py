"""From a question to the words of its reply."""
