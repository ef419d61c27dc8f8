"""One scenario, session by session, with money that comes from elsewhere and goes there.

Prices are laid out once, and a step costs the same however many sessions lie behind it. Simulations without such money
belong in ``engine``; who moves it, in ``buckets``.
"""

import numpy as np

from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.kernel.sessions import run
from sd_core.simulation.layout import Batch, Buffers, market_of, open_books, policy_of, results_of, terms_of
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Rules


class Walk:
    """A scenario that is simulated step by step.

    Without any flow its rows are, byte for byte, those of :func:`sd_core.simulation.engine.simulate`.

    Args:
        panel: prices by session and asset.
        rules: of the scenario, their arrays in the panel's order of assets.
    """

    def __init__(self, panel: Panel, rules: Rules) -> None:
        self._market = market_of(panel)
        self._sessions = panel.sessions
        self._batch = Batch([rules], [None])
        self._terms = terms_of([rules])
        self._flows = np.zeros(len(panel.sessions))
        self._due = np.zeros(len(panel.sessions))
        self._buffers = Buffers(keeps_rows=True, scenarios=1)
        self._done = 0
        self._result: SimulationResult | None = None
        self._open()

    def _open(self) -> None:
        self._books = open_books(self._batch, self._buffers, len(self._sessions), self._sessions)
        self._daily = self._books.daily
        policy = policy_of(self._batch, self._sessions, self._flows)
        assert policy is not None  # since there are flows
        policy.withdrawals[:] += self._due
        self._policy = policy
        self._state = self._books.state[0]

    def advance(self, session: int, flow: float = 0.0, due: float = 0.0) -> float:
        """Simulate on to a session, the one after the last or a later one.

        Args:
            session: position in the panel's sessions.
            flow: money that comes in on that session, before anything trades, in the study's currency; below 0 it goes
                out, as far as the bank then holds it. On the first session nothing comes or goes.
            due: money to be paid out at the close of that session, as a part of what is withdrawn then.

        Returns:
            What came in, or went out where it is below 0.

        Raises:
            ValueError: a session that lies behind or outside the panel, a flow that is not finite or on the first
                session, or a walk that has ended.
        """
        if self._result is not None:
            raise ValueError("walk: expected one that goes on, but its result was taken")
        if not self._done <= session < len(self._sessions):
            raise ValueError(f"session: expected {self._done} to {len(self._sessions) - 1}, was {session}")
        if not np.isfinite(flow) or (session == 0 and flow != 0.0):
            raise ValueError(f"flow: expected a finite sum of money, and none on the first session, was {flow}")
        self._flows[session] = flow
        self._due[session] = due
        self._policy.withdrawals[session] += due
        rows = int(self._state["rows"])
        self._run(session + 1, closes=False)
        return flow if flow >= 0.0 else self._went_out(rows)

    def _run(self, stop: int, *, closes: bool) -> None:
        """Simulate the sessions before ``stop``; where the buffers are too short, all of them again in longer ones."""
        first = self._done
        while True:
            books = self._books._replace(daily=self._daily[:, first:])
            if run(self._market, self._terms, books, self._policy, first, stop, first == 0, closes):
                self._done = stop
                return
            self._buffers.grow()
            self._open()
            first = 0

    def _went_out(self, rows: int) -> float:
        """Return the outgoing transfer that is booked behind so many rows, below 0, or 0 where none is."""
        booked = self._books.ledger[0, rows : int(self._state["rows"])]
        return float(booked["amount"][booked["kind"] == Kind.TRANSFER_OUT].sum())

    @property
    def ledger(self) -> Rows:
        """The rows booked so far; read them before the next step."""
        return self._books.ledger[0, : int(self._state["rows"])]

    @property
    def session(self) -> int:
        """The last session that was simulated, -1 before the first."""
        return self._done - 1

    @property
    def value(self) -> float:
        """What the portfolio is worth at the last close, in the study's currency; the capital before the first."""
        return float(self._state["value"])

    @property
    def bank(self) -> float:
        """Cash at the last close, in the study's currency; below 0 on credit."""
        return float(self._state["bank"])

    @property
    def free_cash(self) -> float:
        """What could go out at the last close: the bank, in the study's currency, or nothing on credit."""
        return max(self.bank, 0.0)

    @property
    def withdrawn(self) -> float:
        """What was paid out on the last session, in the study's currency."""
        return float(self._daily["withdrawals"][0, self._done - 1]) if self._done else 0.0

    def result(self) -> SimulationResult:
        """End the walk after the last session simulated, and return its rows.

        Raises:
            ValueError: no session was simulated.
        """
        if self._done == 0:
            raise ValueError("walk: expected at least one session behind it, was 0")
        if self._result is None:
            self._run(self._done, closes=True)
            books = self._books._replace(daily=self._daily[:, : self._done])
            (self._result,) = results_of(books, self._policy, self._done)
        return self._result
