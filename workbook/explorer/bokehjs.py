"""Load BokehJS into the notebook once, from the installed package: no network."""

from functools import cache

from bokeh.io import output_notebook
from bokeh.resources import Resources

__all__ = ("load_bokehjs",)


@cache
def load_bokehjs() -> None:
    """Load it before the first `BokehModel`; later calls do nothing.

    A `BokehModel` that is shown before BokehJS is there fails with "Could not create a view for model id".
    """
    output_notebook(Resources("inline", components=["bokeh"]), hide_banner=True)
