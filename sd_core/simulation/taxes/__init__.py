"""Tax lots of a finished ledger: ``matching`` is compiled, ``lots`` gives it a ledger and makes a table of it.

Rates, years and the tax itself belong in ``sql``.
"""
