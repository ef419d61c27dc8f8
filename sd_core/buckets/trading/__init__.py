"""An account at a broker: what the broker states is booked, what the satellites' rules order is sent.

``feed`` reads and books, ``sending`` sends orders that are on record; ``openings`` and ``exits`` say what rules order,
which ``proposals`` and ``desk`` put on record. What is booked how belongs in ``ledger``, how a broker is asked in
``sd_core.broker``.
"""
