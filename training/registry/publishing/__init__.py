"""Model cards, and versions given to others: a folder or a repository on the hub."""
