"""Data about people: personal data in texts, opting out, erasure, retention."""
