"""Start numba quickly: without SciPy's linear algebra, which no kernel of ours uses."""

import sys
from typing import cast

_LINEAR_ALGEBRA = "scipy.linalg.cython_blas"


def start_numba() -> None:
    """Load numba's array functions before a first kernel would, but keep SciPy out.

    Numba imports SciPy's BLAS if it is installed (scikit-learn brings it), to compile np.dot;
    that took half of the time to the first packet. Harmless if somebody imported it before.
    """
    if "numba.np.arraymath" in sys.modules or _LINEAR_ALGEBRA in sys.modules:
        return
    # None makes the import fail at once; numba then does without.
    modules = cast(dict[str, object], sys.modules)
    modules[_LINEAR_ALGEBRA] = None
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del modules[_LINEAR_ALGEBRA]
