"""The live proof: two versions answer together until votes decide which one is better."""
