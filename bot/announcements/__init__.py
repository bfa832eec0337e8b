"""What is announced in Discord: verdicts, digests and notices, until Discord has taken them."""
