"""What is stored about people: personal data in texts, opting out, forgetting, retention."""
