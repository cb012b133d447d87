"""Kinds of leak, each with what must be said of it, and clean twins of them."""
