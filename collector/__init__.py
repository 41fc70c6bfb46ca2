"""Packets, flow exports and other monitors' events become flows, sightings and assets."""
