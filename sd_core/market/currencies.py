"""Units of money that are hundredths of a currency, as some exchanges quote in.

Which currency a study is in belongs in ``study``; what is converted, in ``build``.
"""

# As sources write them: pence in London, cents in Johannesburg, agorot in Tel Aviv, cents of American futures.
HUNDREDTHS = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS", "USX": "USD"}


def unit_of(quoted: str) -> tuple[str, float]:
    """Return the currency of a unit and how many such units make one of it.

    >>> unit_of("GBp"), unit_of("EUR")
    (('GBP', 100.0), ('EUR', 1.0))
    """
    return (HUNDREDTHS[quoted], 100.0) if quoted in HUNDREDTHS else (quoted, 1.0)
