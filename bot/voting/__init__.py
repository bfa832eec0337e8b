"""From thumbs and menus to votes, and the quiz."""
