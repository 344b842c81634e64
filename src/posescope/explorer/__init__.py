"""A finished run to look into: the table of its persons, the engines, and below `app` the page that shows them."""
