"""Releases: from a run's verdict to a decision that others can check, and see where they look."""
