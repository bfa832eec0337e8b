"""A person's data: export, forgetting, retention."""
