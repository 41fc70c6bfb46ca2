"""Edge memory (baseline B1): who has spoken to whom by which service, and on how many days."""

from __future__ import annotations


class EdgeMemory:
    """Counts active days per (source, destination, service): volume cannot buy familiarity."""
