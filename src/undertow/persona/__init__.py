"""Whether what a model says of itself fits what it does: five instruments and one profile."""
