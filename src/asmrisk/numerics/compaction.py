"""Compaction: what satisfies a condition is copied side by side, without a branch, eight numbers at once.

Where a processor has vectors of 512 bits, one of its instructions moves the wanted ones of eight numbers
together; no compiler makes it of a loop. Elsewhere the same function is a loop over the eight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils as _cgutils

from asmrisk.numerics.jit import inline, intrinsic, types, whole_vectors

__all__ = ["AT_ONCE", "pack", "pack_places"]

# numba's stubs leave it untyped.
cgutils: Any = _cgutils

#: Elements that `pack` and `pack_places` look at.
AT_ONCE = 8

_Codes = npt.NDArray[np.int8]
_BYTE, _WORD = ir.IntType(8), ir.IntType(32)


def _pack_plainly(
    values: npt.NDArray[np.float64], at: int, group: _Codes, code: int, out: npt.NDArray[np.float64], to: int
) -> int:
    some, members, into = values[at:], group[at:], out[to:]
    count = 0
    for i in range(AT_ONCE):
        # Written always, kept if the count moves on.
        into[count] = some[i]
        count += members[i] == code
    return count


def _pack_places_plainly(at: int, group: _Codes, code: int, out: npt.NDArray[np.uint32], to: int) -> int:
    members, into = group[at:], out[to:]
    count = 0
    for i in range(AT_ONCE):
        into[count] = at + i
        count += members[i] == code
    return count


def _vector(element: Any) -> Any:
    return ir.VectorType(element, AT_ONCE)


def _repeat(builder: Any, value: Any) -> Any:
    """Give a vector of equal numbers."""
    vector = _vector(value.type)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _WORD(0))
    return builder.shuffle_vector(one, one, ir.Constant(_vector(_WORD), None))


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    """Point to the vector that begins at an index of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    vector = _vector(context.get_data_type(kind.dtype))
    return builder.load(_address(context, builder, kind, array, index, vector), align=1)


def _call(builder: Any, name: str, returned: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(returned, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _store_wanted(
    context: Any, builder: Any, vector: Any, wanted: Any, kind: Any, out: Any, to: Any, suffix: str
) -> Any:
    """Store the wanted elements of a vector side by side, anything behind them; give their number."""
    nothing = ir.Constant(vector.type, ir.Undefined)
    together = _call(
        builder, f"llvm.experimental.vector.compress.{suffix}", vector.type, [vector, wanted, nothing]
    )
    builder.store(together, _address(context, builder, kind, out, to, vector.type), align=1)
    bits = builder.bitcast(wanted, _BYTE)
    return builder.zext(_call(builder, "llvm.ctpop.i8", _BYTE, [bits]), ir.IntType(64))


def _side_by_side(*arrays: Any) -> bool:
    """Whether elements stand beside each other; the compiler refuses arrays with strides."""
    return all(each.layout == "C" for each in arrays)


def _pack_compiled(typing: Any, values: Any, at: Any, group: Any, code: Any, out: Any, to: Any) -> Any:
    if not _side_by_side(values, group, out):
        return None

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, at, group, code, out, to = arguments
        kinds = signature.args
        codes = _load(context, builder, kinds[2], group, at)
        wanted = builder.icmp_signed("==", codes, _repeat(builder, builder.trunc(code, _BYTE)))
        vector = _load(context, builder, kinds[0], values, at)
        return _store_wanted(context, builder, vector, wanted, kinds[4], out, to, "v8f64")

    return types.int64(values, types.int64, group, types.int64, out, types.int64), build


def _pack_places_compiled(typing: Any, at: Any, group: Any, code: Any, out: Any, to: Any) -> Any:
    if not _side_by_side(group, out):
        return None

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, group, code, out, to = arguments
        kinds = signature.args
        codes = _load(context, builder, kinds[1], group, at)
        wanted = builder.icmp_signed("==", codes, _repeat(builder, builder.trunc(code, _BYTE)))
        first = _repeat(builder, builder.trunc(at, _WORD))
        vector = builder.add(first, ir.Constant(first.type, list(range(AT_ONCE))))
        return _store_wanted(context, builder, vector, wanted, kinds[3], out, to, "v8i32")

    return types.int64(types.int64, group, types.int64, out, types.int64), build


#: ``pack(values, at, group, code, out, to)``: copy those of the eight values from index `at` on whose `group`
#: is the code to `out` from index `to` on, in order; give their number. Up to eight elements are written.
pack: Callable[..., int] = intrinsic(_pack_compiled) if whole_vectors() else inline(_pack_plainly)

#: ``pack_places(at, group, code, out, to)``: the same with their indices instead of values.
pack_places: Callable[..., int] = (
    intrinsic(_pack_places_compiled) if whole_vectors() else inline(_pack_places_plainly)
)
