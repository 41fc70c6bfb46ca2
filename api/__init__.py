"""People, permissions, audit, use cases and HTTP routes."""
