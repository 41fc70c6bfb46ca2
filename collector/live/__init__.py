"""Live capture: packets of an interface, from a ring that kernel and program share."""
