"""Commands and event listeners: thin, without logic of their own."""
