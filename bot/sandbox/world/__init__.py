"""The sandbox's world: servers, channels, roles and people, held in memory."""
