"""Taxes of a finished ledger.

``matching`` of sales with purchases is compiled, ``lots`` gives it a ledger and makes a table of it, ``years`` has what
is owed for each, ``owed`` a scenario that pays it. The taxes that are published of scenarios with a ledger are computed
in ``sql``.
"""
