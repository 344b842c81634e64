"""Codecs: encode joints as heatmap targets and decode heatmaps to joints."""
