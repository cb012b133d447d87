"""The verdict: what outlived a tmux server, and why. Knows no pytest, no pane."""
