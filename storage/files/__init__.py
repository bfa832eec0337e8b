"""Files: written durably, read as text, and their paths in settings."""
