"""The REST API, route by route; each module adds its own routes to the application."""
