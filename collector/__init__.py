"""Packets, flow exports and other monitors' events become flows, sightings and assets."""

from collector.kernel_cache import choose_kernel_cache

# Before any module of the package brings numba.
choose_kernel_cache()
