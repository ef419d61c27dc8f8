"""The ledger of an account with buckets: it holds real money, and nothing else in the project knows its database.

``ledger`` is the face, a method per operation. ``store`` keeps it in SQLite or PostgreSQL, ``triggers`` is what the
database itself refuses, ``draft`` writes one entry; ``facts``, ``requests`` and ``satellites`` say what an operation
means; ``state`` reads, ``verification`` recomputes, ``export`` shows. What rules decide belongs in the room above.
"""
