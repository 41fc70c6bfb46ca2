"""Measurements: speed beside peers in the same run, and truth on labelled captures."""
