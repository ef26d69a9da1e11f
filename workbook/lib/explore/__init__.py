"""What a user explores: presets and settings of a scenario, its outcome and timeline, and advice."""
