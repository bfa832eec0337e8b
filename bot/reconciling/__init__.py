"""After any gap, thumbs are read back from Discord, so that the votes are those that people see."""
