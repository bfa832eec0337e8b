"""Child processes that train, draw and look; torch and matplotlib live there alone."""
