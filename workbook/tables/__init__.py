"""Tables for notebooks, as aligned text and as HTML."""
