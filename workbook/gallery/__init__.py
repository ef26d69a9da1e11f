"""Pictures that the notebooks show, each ready as the last expression of a cell."""
