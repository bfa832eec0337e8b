"""From a question to its reply, within what Discord lets a bot send."""
