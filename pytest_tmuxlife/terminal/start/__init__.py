"""How servers, sessions and panes are started."""
