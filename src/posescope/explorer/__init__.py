"""A page on a finished run in which a person sees, clicks and tries: the engines, and below `app` the page itself."""
