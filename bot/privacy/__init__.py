"""What is kept of a person, handed out, forgotten, or too old."""
