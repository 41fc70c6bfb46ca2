"""What is usual: memories over days and months that detectors compare today with."""
