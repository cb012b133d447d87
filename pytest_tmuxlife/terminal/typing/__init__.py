"""What is typed into a pane, and whether it has arrived."""
