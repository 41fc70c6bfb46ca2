"""What the header reader does next: one name per kind of header."""

from typing import Final

STOP, ETHERNET, TYPE, LLC, IP, PPP, MPLS, WIFI = range(8)

#: Headers below the transport layer that are believed in one frame.
MAX_STEPS: Final = 24

# Bits of the reader's options.
#: Also yield the outer flow of GRE and IP-in-IP.
KEEP_OUTER: Final = 1
#: Give segments whose card had still to cut them (IP length 0) the bytes that the frame carries.
COUNT_OFFLOADED: Final = 2
#: Mark packets whose checksum is wrong, so that they are not counted.
CHECK_SUMS: Final = 4
