"""The report of a run and the model card, with their plots and image grids."""
