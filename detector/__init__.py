"""Flows and sightings become findings, alerts, incidents and isolation plans."""
