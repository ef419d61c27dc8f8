"""Text as DuckDB reads it within SQL."""


def quoted(text: object) -> str:
    """Return a text, or a path, as a string of SQL with its quotes.

    >>> print(quoted("today's"))
    'today''s'
    """
    return "'" + str(text).replace("'", "''") + "'"
