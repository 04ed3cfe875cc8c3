"""Checks for users' own losses and networks."""
