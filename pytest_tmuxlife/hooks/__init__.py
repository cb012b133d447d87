"""What pytest calls in the course of a run."""
