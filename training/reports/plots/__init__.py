"""Pictures of how training went, of what models say, and of the corpus; PNG files by matplotlib."""
