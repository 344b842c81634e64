"""Choosing by validation: trials that train with parameters drawn from a declared space, the poor ones stopped early."""
