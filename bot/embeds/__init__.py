"""Values to embeds. Pure."""
