"""The base of the package: errors, files, skeletons, records, tables, plug-ins, parameters. It imports nothing else of it."""
