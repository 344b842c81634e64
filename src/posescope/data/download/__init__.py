"""Download archives: plan, transfer over HTTP with resuming, checksums, and unpacking of untrusted zip files."""
