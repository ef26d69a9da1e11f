"""Widgets that explorers and notebooks share: a Bokeh figure, a picture, styles."""
