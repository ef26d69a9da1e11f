"""Widgets that explorers and notebooks share: a Bokeh figure, a form, a picture, styles."""
