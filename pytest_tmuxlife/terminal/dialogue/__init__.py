"""Sending to a pane and waiting for it."""
