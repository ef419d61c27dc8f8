"""Numbers as people read them: thin spaces between thousands, a true minus, and a dash for what is not known."""

import datetime as dt
import re

THIN = "\u202f"
MINUS = "\u2212"
NOTHING = "–"


def decimal(number: float | None, digits: int = 0) -> str:
    """Return a number with so many decimals."""
    if number is None:
        return NOTHING
    text = f"{abs(number):,.{digits}f}".replace(",", THIN)
    return f"{MINUS}{text}" if number < 0 and text.strip("0.") else text


def ratio(number: float | None) -> str:
    """Return a ratio, such as that of Sharpe, with two decimals."""
    return decimal(number, 2)


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in percent."""
    return NOTHING if fraction is None else f"{decimal(fraction * 100, digits)}{THIN}%"


def level(fraction: float) -> str:
    """Return a chosen level, such as a reserve, with the digits that it has and no more."""
    return f"{fraction * 100:.4g}{THIN}%"


def compact(number: float) -> str:
    """Return a number in the few characters of an axis: 1.5, 20, 300k, 2.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{number / unit:.4g}{letter}".replace("-", MINUS)
    return f"{number:.4g}".replace("-", MINUS)


def date(day: dt.date) -> str:
    """Return a date as ISO writes it."""
    return f"{day:%Y-%m-%d}"


def typeset(sentence: str) -> str:
    """Return a sentence written for a terminal with its numbers as they are written here."""
    written = re.sub(r"(?<![\w-])-(?=\d)", MINUS, sentence)
    return re.sub(r"(?<=\d) %", f"{THIN}%", re.sub(r"(?<=\d),(?=\d{3})", THIN, written))
