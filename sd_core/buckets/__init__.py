"""Buckets: one account as a core and its satellites, each with cash, instruments and rules of its own.

``presets`` turns the settings of a satellite into its parameters; ``rules`` says how much it may open; ``deposits`` and
``allocator`` share out money and targets; ``lifecycle`` says what may be done to a bucket. All of it is pure: no clock,
no files, no SQL; only ``ledger`` keeps something. ``compiled`` lets numba compile it, so that history runs on the text
that the account runs on.

What they mean is defined in ``docs/buckets.md``.
"""
