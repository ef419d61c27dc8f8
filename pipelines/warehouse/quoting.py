"""Text as DuckDB reads it within SQL."""


def quoted(text: object) -> str:
    """Return a text, or a path, as a string of SQL with its quotes.

    >>> print(quoted("today's"))
    'today''s'
    """
    return "'" + str(text).replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Return a name, such as a column's, as an identifier of SQL with its quotes.

    >>> print(quoted_name('no "such" name'))
    "no ""such"" name"
    """
    return '"' + name.replace('"', '""') + '"'
