"""Detectors of behaviour towards the outside."""
