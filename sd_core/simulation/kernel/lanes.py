"""Sums and comparisons of several assets at once, as vector instructions.

A compiler may not reorder a sum of floating-point numbers, so it adds one asset after the other. Here the order is
written down: lane by lane, then the lanes in halves. It is the same on every machine, and so are the bits. Arrays are
contiguous and as long as a multiple of ``LANES``; filling them up to that is the caller's.

What it is worth: measured against the same code with one lane, four took 14 to 16 % off the time of simulating sd8 on
100 and on 500 assets (four scenarios, 4,000 sessions: 31 against 36 ms, 162 against 193 ms), 5 % on 20, and 7 to 40 %
off that of holding them.
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
_PLACE = ir.IntType(32)
_DOUBLE_BYTES = 8


def _load(context: Any, builder: Any, kind: Any, value: Any, start: Any) -> Any:
    """Load the lanes that begin at a position of an array; a number fills all lanes."""
    if isinstance(kind, types.Float):
        one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), value, ir.Constant(_PLACE, 0))
        return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_PLACE, LANES), [0] * LANES))
    first = builder.gep(make_array(kind)(context, builder, value).data, [start])
    lanes = builder.load(builder.bitcast(first, _LANES.as_pointer()))
    lanes.align = _DOUBLE_BYTES
    return lanes


def _comparison(operator: str) -> Any:
    """Make an intrinsic that compares the lanes of two arrays, or of an array with a number; a NaN compares false."""

    def compare(typingctx: Any, left: Any, right: Any, start: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            left_lanes, right_lanes = (
                _load(context, builder, kind, value, arguments[2])
                for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
            )
            return _as_bits(builder, builder.fcmp_ordered(operator, left_lanes, right_lanes))

        return types.int64(left, right, types.int64), generate

    return intrinsic(compare)


def _as_bits(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), _INTEGER)


# Of (left, right, start): one bit per lane, the lowest for the position ``start``.
lanes_at_least = _comparison(">=")
lanes_at_most = _comparison("<=")
lanes_above = _comparison(">")
lanes_other_than = _comparison("!=")


@intrinsic
def lanes_of_product_above(typingctx: Any, left: Any, right: Any, bound: Any, start: Any) -> Any:
    """Return one bit per lane: whether the product of two arrays is above a number there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left_lanes, right_lanes, bounds = (
            _load(context, builder, kind, value, arguments[3])
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        )
        return _as_bits(builder, builder.fcmp_ordered(">", builder.fmul(left_lanes, right_lanes), bounds))

    return types.int64(left, right, types.float64, types.int64), generate


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
            builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(_PLACE, count), [*places]))
            for places in (range(count), range(count, 2 * count))
        )
        lanes = builder.fadd(lower, upper)
    return builder.extract_element(lanes, ir.Constant(_PLACE, 0))
