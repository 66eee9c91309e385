"""Bridges to other frameworks. Each module imports its framework; none is imported before you name it."""
