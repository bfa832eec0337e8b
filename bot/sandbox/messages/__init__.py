"""Messages: payloads, embeds, reactions, threads."""
