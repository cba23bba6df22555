"""Memory as the compiled core sees it: addresses, ordered loads and stores, calls through pointers.

Everything here is an LLVM intrinsic or a few instructions; nothing allocates, locks or needs the GIL.
Addresses and function pointers are plain ``int64`` values kept in records, so compiled code holds no absolute
address of its own and stays cacheable, and a test or the embedded switch can pass another implementation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from .compiler import carray, code_generator, native_helper

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)
_I8 = ir.IntType(8)


def _as_pointer(builder: Any, address: Any, element: Any) -> Any:
    return builder.inttoptr(address, element.as_pointer())


@code_generator
def load_acquire(typingctx: Any, address: Any) -> Any:
    """``int64 load_acquire(int64 address)``: an aligned 64-bit load; later accesses stay behind it."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_as_pointer(builder, args[0], _I64), ordering="acquire", align=8)
    return types.int64(types.int64), codegen


@code_generator
def store_release(typingctx: Any, address: Any, value: Any) -> Any:
    """``void store_release(int64 address, int64 value)``: earlier accesses are visible before this store."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _as_pointer(builder, args[0], _I64), ordering="release", align=8)
        return context.get_dummy_value()
    return types.void(types.int64, types.int64), codegen


def _read_modify_write(operation: str) -> Any:
    @code_generator
    def atomic(typingctx: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.atomic_rmw(operation, _as_pointer(builder, args[0], _I64), args[1], "seq_cst")
        return types.int64(types.int64, types.int64), codegen
    return atomic


exchange = _read_modify_write("xchg")
"""``int64 exchange(int64 address, int64 value)``: store, return the previous value; sequentially consistent."""
fetch_add = _read_modify_write("add")
"""``int64 fetch_add(int64 address, int64 value)``: add, return the previous value; sequentially consistent."""
fetch_or = _read_modify_write("or")
"""``int64 fetch_or(int64 address, int64 bits)``: set bits, return the previous value; sequentially consistent."""


@code_generator
def fence(typingctx: Any) -> Any:
    """``void fence()``: a full barrier; a store before it is visible before a load after it (see `wakeup`)."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()
    return types.void(), codegen


@code_generator
def pointer(typingctx: Any, address: Any) -> Any:
    """``void *pointer(int64 address)``: the address as a pointer, for ``numba.carray`` and C functions."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], _I8.as_pointer())
    return types.voidptr(types.int64), codegen


@code_generator
def address_of(typingctx: Any, void_pointer: Any) -> Any:
    """``int64 address_of(void *p)``: the pointer as an address."""
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], _I64)
    return types.int64(types.voidptr), codegen


@code_generator
def own_word(typingctx: Any) -> Any:
    """``int64 own_word()``: the address of a word, zero at first, that belongs to the function that asks, like a static
    variable in C.
    """
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        variable = ir.GlobalVariable(builder.module, _I64, builder.module.get_unique_name("own_word"))
        variable.linkage, variable.initializer, variable.align = "internal", _I64(0), 8
        return builder.ptrtoint(variable, _I64)
    return types.int64(), codegen


def _call(argument_count: int) -> Any:
    """Return an intrinsic that calls ``int64 f(int64, …)`` at an address.

    In the 64-bit System V and AArch64 procedure call standards, integers, pointers and enums all travel in general
    registers, so one signature serves every C function that the core calls; the caller truncates a narrower result.
    """
    parameters = [f"a{index}" for index in range(argument_count)]

    def build(typingctx: Any, function: Any, *arguments: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(_I64, [_I64] * argument_count)
            return builder.call(_as_pointer(builder, args[0], kind), list(args[1:]))
        return types.int64(types.int64, *[types.int64] * argument_count), codegen

    # numba reads the arity from the signature, so each arity needs a function of its own.
    namespace: dict[str, Any] = {"build": build}
    names = ", ".join(parameters)
    exec(f"def call(typingctx, function{', ' if names else ''}{names}):\n"
         f"    return build(typingctx, function{', ' if names else ''}{names})\n", namespace)
    return code_generator(namespace["call"])


call0, call1, call2, call3, call4, call7, call8 = (_call(n) for n in (0, 1, 2, 3, 4, 7, 8))


@native_helper
def wide(value: Any) -> int:
    """Return a narrower integer as int64, sign-extended."""
    return np.int64(value)  # type: ignore[return-value]


@native_helper
def bytes_at(address: int, count: int) -> Any:
    """Return a ``uint8[count]`` view of memory; it owns nothing."""
    return carray(pointer(address), (count,), np.uint8)


@native_helper
def int16_at(address: int, count: int) -> Any:
    """Return an ``int16[count]`` view of memory, in native byte order."""
    return carray(pointer(address), (count,), np.int16)


@native_helper
def uint16_at(address: int, count: int) -> Any:
    """Return a ``uint16[count]`` view of memory, in native byte order."""
    return carray(pointer(address), (count,), np.uint16)


@native_helper
def int32_at(address: int, count: int) -> Any:
    """Return an ``int32[count]`` view of memory, in native byte order."""
    return carray(pointer(address), (count,), np.int32)


@native_helper
def int64_at(address: int, count: int) -> Any:
    """Return an ``int64[count]`` view of memory, in native byte order."""
    return carray(pointer(address), (count,), np.int64)


@native_helper
def float64_at(address: int, count: int) -> Any:
    """Return a ``float64[count]`` view of memory."""
    return carray(pointer(address), (count,), np.float64)


@native_helper
def float32_at(address: int, count: int) -> Any:
    """Return a ``float32[count]`` view of memory."""
    return carray(pointer(address), (count,), np.float32)
