"""What leaves for other systems; each output is one file with its settings and one verb."""
