"""People who ask and vote, and nights that learn from them, through the real pipeline."""
