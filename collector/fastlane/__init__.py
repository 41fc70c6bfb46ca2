"""The fast lane: every packet of a capture or a ring, in compiled loops over columns."""
