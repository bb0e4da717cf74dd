"""Releases: what is said of a model before it goes out, from its finished runs."""
