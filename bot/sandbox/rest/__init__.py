"""The REST API; each module declares the routes of one subject."""
