"""Servers on loan to one test, or to all, and the verdicts on them. Knows no pytest."""
