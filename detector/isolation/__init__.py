"""Isolation plans: the cut that harms care least, with what stops, commands and undo."""
