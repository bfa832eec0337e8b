"""Commands: how they are registered, what they are called with, and how their errors are answered."""
