"""Detectors of lateral movement: scans, admin connections, remote execution, credentials."""
