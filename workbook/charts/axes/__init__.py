"""Axes: guest-physical addresses, bytes, and a number line with its long gaps cut short."""
