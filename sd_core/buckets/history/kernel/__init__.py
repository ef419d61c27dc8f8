"""The compiled kernel of a plan's history: one session of all satellites at a time, as ``docs/buckets.md`` defines it.

``sessions`` is what the engine calls: cash arrives, positions trade, the close is marked and judged. It reads top
down: ``positions`` is what a satellite buys and sells, ``close`` what the close changes about it, ``book`` the data.
The rules themselves are in ``buckets.rules``.
"""
