"""What stands under a reply, and the quiz."""
