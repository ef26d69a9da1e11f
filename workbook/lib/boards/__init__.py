"""Boards: where boot RAM and device memory lie, and what takes memslots before any device does."""
