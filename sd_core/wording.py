"""Words that messages of any room need: counts in the right number, and the known word nearest to an unknown one."""

import difflib
from collections.abc import Iterable

# Of two words' letters, the share that agree in a slip: 'APPL' for AAPL, 'bracket_' for bracket.
LIKENESS = 0.6


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number with what is counted, in the singular for one.

    >>> counted(1, "ticker"), counted(1200, "ticker"), counted(0, "strategy", "strategies")
    ('1 ticker', '1,200 tickers', '0 strategies')
    """
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like an unknown one, whatever the case; None where none is like it.

    >>> nearest("aplp", ["AAPL", "MSFT"])
    'AAPL'
    """
    folded = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=LIKENESS)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question to append to a refusal, or nothing where no known word is near.

    >>> did_you_mean("reservs", ["reserves", "source"])
    ' (did you mean reserves?)'
    """
    found = nearest(word, known)
    return f" (did you mean {found}?)" if found else ""
