"""A network, a codec and a pipeline for posescope."""
