"""The programs in panes: how each is started, and shows its prompt."""
