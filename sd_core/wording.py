"""Words that messages of any room need: counts in the right number, and what a slip in a word, number or date meant."""

import datetime as dt
import difflib
import re
from collections.abc import Iterable

# Of two words' letters, the share that agree in a slip: 'APPL' for AAPL, 'bracket_' for bracket.
LIKENESS = 0.6


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number with what is counted, in the singular for one.

    >>> counted(1, "ticker"), counted(1200, "ticker"), counted(0, "strategy", "strategies")
    ('1 ticker', '1,200 tickers', '0 strategies')
    """
    return f"{number:,} {what if number == 1 else several or what + 's'}"


# Of text that a stranger's program sent: more of it would hide the sentence around it.
LONGEST_QUOTE = 200


def printable(text: str) -> str:
    r"""Return text that someone else sent as a line may have it: short, and without what steers a terminal.

    >>> printable("not \x1b[31mfound\n  here")
    'not ?[31mfound here'
    """
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]} …"


def unsteered(text: str) -> str:
    r"""Return text without what steers a terminal: control characters, halves of letters, and turns of direction.

    >>> unsteered("red \x1b[31m and \u202eback")
    'red ?[31m and ?back'
    """
    return _STEERING.sub("?", text)


# Control characters; what Python makes of bytes that are no text; what turns the direction of writing.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


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


_NUMBER = re.compile(r"(?P<sign>[+-]?)[$€£¥]?\s*(?P<body>\d[\d.,' \u00a0\u202f_]*?)\s*(?P<unit>%|[A-Z]{3}|[$€£¥])?")
_THOUSANDS = re.compile(r"\d{1,3}([^\d.])\d{3}(\1\d{3})*(\.\d+)?")
_EUROPEAN = re.compile(r"\d{1,3}((?P<mark>[. '\u00a0\u202f])\d{3}((?P=mark)\d{3})*)?,\d+|\d+,\d+")
_DATE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")


def number_hint(text: str) -> str:
    """Return how a number must be written that a person reads at once and a program does not; empty for other text.

    >>> number_hint("12,5"), number_hint("1,234"), number_hint("1.234,50")
    (' (write 12.5)', ' (write 1234, or 1.234 for a decimal comma)', ' (write 1234.50)')
    >>> number_hint("30 %"), number_hint("$1,250.00"), number_hint("eleven")
    (' (write 0.3)', ' (write 1250.00)', '')
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return ""
    body = found["body"].strip()
    meant = []
    if _THOUSANDS.fullmatch(body):
        meant.append(re.sub(r"[^\d.]", "", body))
    if _EUROPEAN.fullmatch(body):
        whole, _, decimals = body.rpartition(",")
        meant.append(f"{re.sub(r'[^0-9]', '', whole)}.{decimals}")
    if not meant and re.fullmatch(r"\d+(\.\d+)?", body):
        meant.append(body)
    if found["unit"] == "%":
        meant = [f"{float(number) / 100:.10g}" for number in meant]
    meant = [f"{found['sign'].strip('+')}{number}" for number in meant]
    if not meant or meant == [text]:
        return ""
    other = f", or {meant[1]} for a decimal comma" if len(meant) > 1 else ""
    return f" (write {meant[0]}{other})"


def date_hint(text: str) -> str:
    """Return how a date must be written that has its year at the end; empty for other text.

    >>> date_hint("31.01.2024"), date_hint("1/31/2024"), date_hint("last week")
    (' (write 2024-01-31)', ' (write 2024-01-31)', '')
    >>> date_hint("03/04/2024")
    ' (write 2024-04-03 if the day comes first, 2024-03-04 if the month does)'
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return ""
    one, other, year = map(int, found.groups())
    day_first, month_first = (_day(year, month, day) for month, day in ((other, one), (one, other)))
    if day_first and month_first and day_first != month_first and "." not in text:
        return f" (write {day_first} if the day comes first, {month_first} if the month does)"
    meant = day_first or month_first
    return f" (write {meant})" if meant else ""


def _day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
