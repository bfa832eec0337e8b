"""`python -m bot check`: what the bot needs, looked at from outside it; nothing is changed."""
