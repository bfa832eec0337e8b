"""People in the database: what identifies them in a text."""
