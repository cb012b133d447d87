"""What a pane shows, and where in it."""
