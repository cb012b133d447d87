"""Running a command at a prompt: its status and its output."""
