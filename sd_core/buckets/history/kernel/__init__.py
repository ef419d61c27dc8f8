"""The kernel of a plan's history: one session of all satellites at a time, as ``docs/buckets.md`` defines it.

``sessions`` is what the engine calls: cash arrives, positions trade, the close is marked and judged. It reads top
down: ``receipts`` is what reaches a satellite, ``positions`` what it buys and sells, ``close`` what the close changes
about it, ``book`` the data. The rules themselves are in ``buckets.rules``.

The four are plain Python, which the ledger calls for its books; ``sessions`` compiles them for histories.
"""
