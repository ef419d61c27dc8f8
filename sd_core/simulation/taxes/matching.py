"""The matching of sales with purchases, compiled: which shares a sale sold, and which losses wash sales defer.

What the rules are and where they come from is stated in ``docs/taxes.md``; how a ledger comes here belongs in ``lots``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sd_core.market.arrays import Floats
from sd_core.simulation.results import Rows
from sd_core.simulation.rules import LotOrder

# Days before and after a sale within which a purchase replaces what was sold.
WINDOW_DAYS = 30
# Quantities are the same when they differ by less than this share of what is sold or replaced.
SAME_SHARES = 1e-9
# A loss below this share of the basis is the rounding of a sale at cost.
NO_LOSS = 1e-12

# ``acquired`` and ``sold`` are positions of sessions, ``purchase`` and ``sale`` numbers of ledger rows from 1. An open
# part has sale 0, sold -1 and NaN for what only a sale has; ``held_since`` counts days from 1970.
TAX_LOT_NUMBERS = ("quantity", "cost", "basis", "proceeds", "gain", "wash_sale_disallowed")
TAX_LOTS = np.dtype(
    [
        ("purchase", np.int32),
        ("sale", np.int32),
        ("asset", np.int16),
        ("acquired", np.int32),
        ("held_since", np.int64),
        ("sold", np.int32),
        ("long_term", np.bool_),
        *((name, np.float64) for name in TAX_LOT_NUMBERS),
    ]
)
OPEN_SALE, OPEN_SOLD = 0, -1
NONE = -1
BUYBACK, CORE = 0, 1
FIFO = LotOrder.FIFO.value

compiled = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)

Numbers = npt.NDArray[np.int64]


class Trades(NamedTuple):
    """The ledger's trades in the order booked; ``day`` and ``year_before`` by session, in days from 1970.

    Shares sold in a session are long-term when they were held since ``year_before`` or longer. ``quantity`` is negative
    for sales, ``amount`` is the cash that came, fees included.
    """

    seq: Numbers
    session: Numbers
    asset: Numbers
    chain: Numbers
    quantity: Floats
    amount: Floats
    day: Numbers
    year_before: Numbers
    fifo: bool


class Shares(NamedTuple):
    """What is held, and which losses wait for a replacement.

    A purchase is a lot; its shares are parts, which differ in basis and in how long they count as held. Those that
    replaced others come first, in the order in which they did; the last part is the lot's spare: it can still replace.
    Parts of a lot, lots in the order of sale (by asset and chain) and lots with a spare (by asset) are linked lists.
    """

    # By asset and chain: the lot sold next, and the last in line.
    next_lot: Numbers
    last_lot: Numbers
    # By asset: the oldest and the newest lot that may have a spare, the first and the last loss to replace.
    oldest: Numbers
    newest: Numbers
    first_loss: Numbers
    last_loss: Numbers
    # By lot, which is numbered as its trade.
    first_part: Numbers
    spare: Numbers
    behind: Numbers
    newer: Numbers
    # By part.
    following: Numbers
    held_since: Numbers
    quantity: Floats
    cost: Floats  # per share
    basis: Floats  # per share
    # By row: shares sold at a loss that nothing has replaced yet, their loss, and the loss that waits behind.
    unreplaced: Floats
    loss: Floats
    later_loss: Numbers
    # Counts: parts and rows.
    parts: Numbers
    rows: Numbers
    out: Rows


def no_shares(lots: int, assets: int, size: int) -> Shares:
    """Return empty books for so many purchases and assets, with room for ``size`` parts and rows."""

    def nowhere(shape: int | tuple[int, int]) -> Numbers:
        return np.full(shape, NONE, dtype=np.int64)

    return Shares(
        next_lot=nowhere((assets, 2)),
        last_lot=nowhere((assets, 2)),
        oldest=nowhere(assets),
        newest=nowhere(assets),
        first_loss=nowhere(assets),
        last_loss=nowhere(assets),
        first_part=nowhere(lots),
        spare=nowhere(lots),
        behind=nowhere(lots),
        newer=nowhere(lots),
        following=np.empty(size, dtype=np.int64),
        held_since=np.empty(size, dtype=np.int64),
        quantity=np.empty(size),
        cost=np.empty(size),
        basis=np.empty(size),
        unreplaced=np.empty(size),
        loss=np.empty(size),
        later_loss=np.empty(size, dtype=np.int64),
        parts=np.zeros(1, dtype=np.int64),
        rows=np.zeros(1, dtype=np.int64),
        out=np.empty(size, dtype=TAX_LOTS),
    )


@compiled
def match_trades(trades: Trades, shares: Shares) -> bool:
    """Go through all trades; return False where a buffer was too short, and the caller must offer longer ones."""
    return match_some(trades, shares, 0, len(trades.seq)) and list_open(trades, shares)


@compiled
def match_some(trades, shares, first, stop):
    """Go on from a trade to the one before ``stop``; return False where a buffer was too short."""
    for trade in range(first, stop):
        room = buy(trades, shares, trade) if trades.quantity[trade] > 0.0 else sell(trades, shares, trade)
        if not room:
            return False
    return True


@compiled
def buy(trades, shares, trade):
    """Open a lot, and let it replace what was sold at a loss in the days before, in the order of sale."""
    asset, chain = trades.asset[trade], trades.chain[trade]
    quantity = trades.quantity[trade]
    per_share = -trades.amount[trade] / quantity
    day = trades.day[trades.session[trade]]
    part = new_part(shares, quantity, per_share, per_share, day)
    if part == NONE:
        return False
    shares.first_part[trade] = part
    shares.spare[trade] = part
    line_up(trades, shares, trade, asset, chain)
    row = shares.first_loss[asset]
    while row != NONE and shares.spare[trade] != NONE:
        recent = trades.day[shares.out[row].sold] >= day - WINDOW_DAYS
        if recent and not replace(trades, shares, trade, row):
            return False
        if not recent or shares.unreplaced[row] == 0.0:
            row = shares.later_loss[row]
    shares.first_loss[asset] = row
    if shares.spare[trade] != NONE:
        if shares.oldest[asset] == NONE:
            shares.oldest[asset] = trade
        else:
            shares.newer[shares.newest[asset]] = trade
        shares.newest[asset] = trade
    return True


@compiled
def line_up(trades, shares, lot, asset, chain):
    """Put a lot where it will be sold: behind all others, or with last in, first out before them."""
    head = shares.next_lot[asset, chain]
    if not trades.fifo:
        shares.behind[lot] = head
        shares.next_lot[asset, chain] = lot
    elif head == NONE:
        shares.next_lot[asset, chain] = lot
        shares.last_lot[asset, chain] = lot
    else:
        shares.behind[shares.last_lot[asset, chain]] = lot
        shares.last_lot[asset, chain] = lot


@compiled
def sell(trades, shares, trade):
    """Take a sale from the lots; then see which of its losses earlier purchases replace, and which have to wait."""
    first_row = shares.rows[0]
    wanted = -trades.quantity[trade]
    for chain in range(2):
        wanted = take(trades, shares, trade, chain, wanted)
    if shares.rows[0] > len(shares.out):
        return False
    settle(trades, shares, trade, first_row)
    for row in range(first_row, shares.rows[0]):
        if shares.loss[row] > 0.0 and not replace_before(trades, shares, row):
            return False
    return True


@compiled
def take(trades, shares, trade, chain, wanted):
    """Take shares from one chain of lots, a row per part; return how many are still wanted."""
    asset, sold = trades.asset[trade], -trades.quantity[trade]
    while wanted > 0.0 and shares.next_lot[asset, chain] != NONE:
        lot = shares.next_lot[asset, chain]
        part = shares.first_part[lot]
        held = shares.quantity[part]
        same = abs(held - wanted) <= SAME_SHARES * sold
        if same or held <= wanted:
            taken = held
            wanted = 0.0 if same else wanted - held
            shares.first_part[lot] = shares.following[part]
            if shares.spare[lot] == part:
                shares.spare[lot] = NONE
            if shares.first_part[lot] == NONE:
                shares.next_lot[asset, chain] = shares.behind[lot]
        else:
            taken = wanted
            wanted = 0.0
            shares.quantity[part] = held - taken
        write(trades, shares, lot, part, taken, trade)
    return wanted


@compiled
def settle(trades, shares, trade, first_row):
    """Divide the proceeds of a sale among its rows, by quantity; the last takes the rest, so that nothing is lost."""
    last_row = shares.rows[0] - 1
    rest = trades.amount[trade]
    for row in range(first_row, last_row + 1):
        sold = shares.out[row]
        sold.proceeds = rest if row == last_row else trades.amount[trade] * sold.quantity / -trades.quantity[trade]
        rest -= sold.proceeds
        sold.gain = sold.proceeds - sold.basis
        sold.wash_sale_disallowed = 0.0
        is_loss = sold.gain < -NO_LOSS * sold.basis
        shares.unreplaced[row] = sold.quantity if is_loss else 0.0
        shares.loss[row] = -sold.gain if is_loss else 0.0
        shares.later_loss[row] = NONE


@compiled
def replace_before(trades, shares, row):
    """Let shares of other lots that were bought in the days before replace a loss; what is left waits for purchases."""
    asset = shares.out[row].asset
    earliest = trades.day[shares.out[row].sold] - WINDOW_DAYS
    before = NONE
    lot = shares.oldest[asset]
    while lot != NONE and shares.unreplaced[row] > 0.0:
        newer = shares.newer[lot]
        in_time = trades.day[trades.session[lot]] >= earliest
        own = trades.seq[lot] == shares.out[row].purchase
        if in_time and shares.spare[lot] != NONE and not own and not replace(trades, shares, lot, row):
            return False
        if in_time and shares.spare[lot] != NONE:
            before = lot
        else:  # it will never replace anything again
            unlink(shares, asset, before, lot)
        lot = newer
    if shares.unreplaced[row] > 0.0:
        if shares.first_loss[asset] == NONE:
            shares.first_loss[asset] = row
        else:
            shares.later_loss[shares.last_loss[asset]] = row
        shares.last_loss[asset] = row
    return True


@compiled
def unlink(shares, asset, before, lot):
    """Take a lot out of those of its asset that may have a spare."""
    newer = shares.newer[lot]
    if before == NONE:
        shares.oldest[asset] = newer
    else:
        shares.newer[before] = newer
    if newer == NONE:
        shares.newest[asset] = before


@compiled
def replace(trades, shares, lot, row):
    """Let a lot's spare shares replace those of a row, and take over their loss and the time that they were held."""
    sold = shares.out[row]
    part = shares.spare[lot]
    spare, unreplaced = shares.quantity[part], shares.unreplaced[row]
    same = abs(spare - unreplaced) <= SAME_SHARES * unreplaced
    shares.spare[lot] = NONE
    if not same and unreplaced < spare:
        rest = new_part(shares, spare - unreplaced, shares.cost[part], shares.basis[part], shares.held_since[part])
        if rest == NONE:
            return False
        shares.following[part] = rest
        shares.spare[lot] = rest
        shares.quantity[part] = unreplaced
    whole = same or unreplaced < spare
    disallowed = shares.loss[row] if whole else shares.loss[row] * (spare / unreplaced)
    shares.loss[row] -= disallowed
    shares.unreplaced[row] = 0.0 if whole else unreplaced - spare
    shares.basis[part] += disallowed / shares.quantity[part]
    shares.held_since[part] -= trades.day[sold.sold] - sold.held_since
    sold.wash_sale_disallowed += disallowed
    return True


@compiled
def new_part(shares, quantity, cost, basis, held_since):
    """Return the number of a new part, the last of its lot; or NONE where there is no room."""
    part = shares.parts[0]
    if part == len(shares.quantity):
        return NONE
    shares.parts[0] += 1
    shares.quantity[part] = quantity
    shares.cost[part] = cost
    shares.basis[part] = basis
    shares.held_since[part] = held_since
    shares.following[part] = NONE
    return part


@compiled
def list_open(trades, shares):
    """List what is left of every lot."""
    for lot in range(len(trades.seq)):
        part = shares.first_part[lot]
        while part != NONE:
            write(trades, shares, lot, part, shares.quantity[part], NONE)
            part = shares.following[part]
    return shares.rows[0] <= len(shares.out)


@compiled
def write(trades, shares, lot, part, quantity, trade):
    """List shares of a part, sold in a trade or open where there is none; rows beyond the end are only counted."""
    number = shares.rows[0]
    shares.rows[0] += 1
    if number < len(shares.out):
        row = shares.out[number]
        is_open = trade == NONE
        session = len(trades.day) - 1 if is_open else trades.session[trade]
        row.purchase = trades.seq[lot]
        row.sale = OPEN_SALE if is_open else trades.seq[trade]
        row.asset = trades.asset[lot]
        row.acquired = trades.session[lot]
        row.held_since = shares.held_since[part]
        row.sold = OPEN_SOLD if is_open else session
        row.long_term = shares.held_since[part] <= trades.year_before[session]
        row.quantity = quantity
        row.cost = quantity * shares.cost[part]
        row.basis = quantity * shares.basis[part]
        row.proceeds = np.nan
        row.gain = np.nan
        row.wash_sale_disallowed = np.nan
