"""Sums and comparisons of several assets at once, as vector instructions.

A compiler may not reorder a sum of floating-point numbers, so it adds one asset after the other. Here the order is
written down: lane by lane, then the lanes in halves. It is the same on every machine, and so are the bits. Arrays are
contiguous and as long as a multiple of ``LANES``; filling them up to that is the caller's.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

LANES = 4

_LANES = ir.VectorType(ir.DoubleType(), LANES)
_INTEGER = ir.IntType(64)
_DOUBLE_BYTES = 8


def _load(context: Any, builder: Any, array_type: Any, array: Any, start: Any) -> Any:
    """Load the lanes that begin at a position of an array."""
    first = builder.gep(make_array(array_type)(context, builder, array).data, [start])
    lanes = builder.load(builder.bitcast(first, _LANES.as_pointer()))
    lanes.align = _DOUBLE_BYTES
    return lanes


def _comparison(operator: str) -> Any:
    """Make an intrinsic that compares the lanes of two arrays; a NaN compares false."""

    def compare(typingctx: Any, left: Any, right: Any, start: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            left_lanes, right_lanes = (
                _load(context, builder, kind, array, arguments[2])
                for kind, array in zip(signature.args[:2], arguments[:2], strict=True)
            )
            bits = builder.bitcast(builder.fcmp_ordered(operator, left_lanes, right_lanes), ir.IntType(LANES))
            return builder.zext(bits, _INTEGER)

        return types.int64(left, right, types.int64), generate

    return intrinsic(compare)


# Of (left, right, start): one bit per lane, the lowest for the position ``start``.
lanes_at_least = _comparison(">=")
lanes_at_most = _comparison("<=")


@intrinsic
def lowest_lane(typingctx: Any, bits: Any) -> Any:
    """Return the position of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@intrinsic
def sum_of_products(typingctx: Any, left: Any, right: Any) -> Any:
    """Return the sum of the products of two arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = cgutils.alloca_once_value(builder, ir.Constant(_LANES, [0.0] * LANES))
        length = builder.extract_value(make_array(signature.args[0])(context, builder, arguments[0]).shape, 0)
        zero, step = ir.Constant(_INTEGER, 0), ir.Constant(_INTEGER, LANES)
        with cgutils.for_range_slice(builder, zero, length, step) as (start, _):
            left_lanes, right_lanes = (
                _load(context, builder, kind, array, start)
                for kind, array in zip(signature.args, arguments, strict=True)
            )
            builder.store(builder.fadd(builder.load(total), builder.fmul(left_lanes, right_lanes)), total)
        return _add_in_halves(builder, builder.load(total))

    return types.float64(left, right), generate


def _add_in_halves(builder: Any, lanes: Any) -> Any:
    """Add the upper half of the lanes to the lower one until a single lane is left."""
    count = LANES
    while count > 1:
        count //= 2
        lower, upper = (
            builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(ir.IntType(32), count), [*places]))
            for places in (range(count), range(count, 2 * count))
        )
        lanes = builder.fadd(lower, upper)
    return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))
