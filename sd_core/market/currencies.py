"""Units of money: hundredths of a currency, as some exchanges quote in, and the digits that people pay with.

Which currency a study is in belongs in ``study``; what is converted, in ``build``.
"""

# As sources write them: pence in London, cents in Johannesburg, agorot in Tel Aviv, cents of American futures.
HUNDREDTHS = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS", "USX": "USD"}


# ISO 4217: digits that people pay with, other than 2.
MINOR_DIGITS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}


def minor_digits(currency: str) -> int:
    """Return how many decimal digits of a currency people pay with.

    >>> minor_digits("USD"), minor_digits("JPY")
    (2, 0)
    """
    return MINOR_DIGITS.get(currency, 2)


def unit_of(quoted: str) -> tuple[str, float]:
    """Return the currency of a unit and how many such units make one of it.

    >>> unit_of("GBp"), unit_of("EUR")
    (('GBP', 100.0), ('EUR', 1.0))
    """
    return (HUNDREDTHS[quoted], 100.0) if quoted in HUNDREDTHS else (quoted, 1.0)
