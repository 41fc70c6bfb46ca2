"""Big-endian reads from a byte buffer, one load each; the caller has checked the bounds.

With NUMBA_BOUNDSCHECK=1 every read is checked again, which is
how the tests prove the callers right.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

import os
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Buffer = NDArray[np.uint8]

IS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")


def _loader(bits: int) -> Any:
    @intrinsic  # type: ignore[misc, unused-ignore]
    def load(typing_context: Any, buffer: Any, at: Any) -> Any:
        width = ir.IntType(bits)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            pointer = builder.gep(array.data, [arguments[1]])
            value = builder.load(builder.bitcast(pointer, width.as_pointer()), align=1)
            swap = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(width, [width]), f"llvm.bswap.i{bits}"
            )
            value = builder.call(swap, [value])
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        result = types.uint64 if bits == 64 else types.int64
        return result(buffer, types.int64), generate

    return load


_load16, _load32, _load64 = _loader(16), _loader(32), _loader(64)


@intrinsic  # type: ignore[misc, unused-ignore]
def prefetch(typing_context: Any, array: Any, at: Any, skip: Any) -> Any:
    """Ask for the cache line `skip` bytes behind array[at]'s start; a wrong one costs nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        size = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
        byte = ir.IntType(8).as_pointer()
        offset = builder.mul(arguments[1], ir.Constant(ir.IntType(64), size))
        offset = builder.add(offset, arguments[2])
        pointer = builder.gep(builder.bitcast(array.data, byte), [offset])
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0",
        )
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@intrinsic  # type: ignore[misc, unused-ignore]
def _copy8(typing_context: Any, out: Any, to: Any, text: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = ir.IntType(64)
        places = []
        for array_type, array, offset in (
            (signature.args[0], arguments[0], arguments[1]),
            (signature.args[2], arguments[2], arguments[3]),
        ):
            data = context.make_array(array_type)(context, builder, array).data
            places.append(builder.bitcast(builder.gep(data, [offset]), width.as_pointer()))
        builder.store(builder.load(places[1], align=1), places[0], align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, text, types.int64), generate


@njit(cache=True, nogil=True, forceinline=True)
def copy8(out: Any, to: int, text: Any, at: int) -> None:
    """Copy eight bytes between uint8 arrays."""
    if IS_CHECKED and (to + 8 > len(out) or at + 8 > len(text)):
        raise IndexError("copy8 outside of the arrays")
    _copy8(out, to, text, at)


@intrinsic  # type: ignore[misc, unused-ignore]
def borrow(typing_context: Any, array: Any) -> Any:
    """The same array without an owner: passing it on then counts no references.

    Numba counts references atomically at every call; at several calls a packet this cost more than
    the work itself. The caller's caller keeps the owner alive.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        make = context.make_array(signature.args[0])
        owned, loose = make(context, builder, arguments[0]), make(context, builder)
        for name in ("nitems", "itemsize", "data", "shape", "strides"):
            setattr(loose, name, getattr(owned, name))
        loose.meminfo = ir.Constant(loose.meminfo.type, None)
        loose.parent = ir.Constant(loose.parent.type, None)
        return loose._getvalue()

    return array(array), generate


@njit(cache=True, nogil=True, inline="always")
def read8(buffer: Buffer, at: int) -> int:
    """One byte at `at`."""
    return np.int64(buffer[at])


@njit(cache=True, nogil=True, forceinline=True)
def read16(buffer: Buffer, at: int) -> int:
    """Two bytes at `at`, big-endian."""
    if IS_CHECKED and (at < 0 or at + 2 > len(buffer)):
        raise IndexError("read16 outside of the buffer")
    return _load16(buffer, at)


@njit(cache=True, nogil=True, forceinline=True)
def read32(buffer: Buffer, at: int) -> int:
    """Four bytes at `at`, big-endian."""
    if IS_CHECKED and (at < 0 or at + 4 > len(buffer)):
        raise IndexError("read32 outside of the buffer")
    return _load32(buffer, at)


@njit(cache=True, nogil=True, forceinline=True)
def read64(buffer: Buffer, at: int) -> int:
    """Eight bytes at `at`, big-endian, as uint64."""
    if IS_CHECKED and (at < 0 or at + 8 > len(buffer)):
        raise IndexError("read64 outside of the buffer")
    return _load64(buffer, at)
