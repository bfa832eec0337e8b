"""Model versions: their folders and cards, the champion and domain pointers, promotion, repair."""
