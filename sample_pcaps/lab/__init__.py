"""The lab hospital: real programs in network namespaces, three captures, the truth."""
