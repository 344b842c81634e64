"""The page: a Dash application on the loopback address. Only the modules below import Dash."""
