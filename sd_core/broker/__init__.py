"""Brokers behind one protocol: an account, what moved it, and orders.

``protocol`` is what each broker implements, ``reading`` how it is read at one moment, ``sending`` how an order is sent
so that it arrives once, ``simulated`` a broker in memory with all the faults of a real one. What belongs to which
bucket is known to ``buckets.ledger``, what is asked of a broker for it to ``buckets.trading``.
"""
