"""Exploration: presets and settings of a scenario, its outcome and timeline, and advice."""
