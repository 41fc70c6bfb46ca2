"""The lab hospital: real programs in network namespaces, captured on three lanes, with the truth."""
