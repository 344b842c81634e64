"""A finished run as one page without a server: its persons, content, scripts and file."""
