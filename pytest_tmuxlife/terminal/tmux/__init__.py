"""Asking one tmux server: by its socket, or by a tmux process."""
