"""The pipelines: thin nodes that unpack, make one call into the library, and return."""
