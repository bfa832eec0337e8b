"""The commands and the listeners; no logic of their own."""
