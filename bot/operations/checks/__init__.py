"""`python -m bot check`: checks what the bot needs, without changing anything."""
