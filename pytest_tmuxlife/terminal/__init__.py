"""Talking to tmux: servers, sessions, panes, and the programs in them."""
