"""The compiled kernel: one scenario over one panel, as ``docs/simulation.md`` defines it.

``sessions`` is the loop that the engine calls. It reads top down: ``rule`` is the rule on the legs of a bar,
``lookback`` what the sessions before change about it, ``portfolio_rules`` and ``withdrawals`` what happens at the
close, ``trades`` what a trade changes, ``lanes`` arithmetic over several assets at once, ``book`` the data.

Everything is compiled by numba and allocates nothing; buffers, threads and many scenarios belong in ``engine``.
Floating point stays strict (no fastmath), so that a scenario gives the same bits on any core and beside any others.
"""
