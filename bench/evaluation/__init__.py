"""`mimawari evaluate`: what the detectors find in simulated hospitals, counted by scenario."""
