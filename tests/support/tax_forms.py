"""Gains and losses of a year as the forms of the United States net them, in plain Python."""


def schedule_d(carried: tuple[float, float], gains: tuple[float, float]) -> tuple[float, float]:
    """Return net short- and net long-term gain of a year after one offsets the other, as Schedule D nets them."""
    short_term, long_term = carried[0] + gains[0], carried[1] + gains[1]
    total = short_term + long_term
    if short_term < 0 < long_term or long_term < 0 < short_term:
        # What is left has the sign of the total and the term of the larger.
        return (total, 0.0) if abs(short_term) > abs(long_term) else (0.0, total)
    return short_term, long_term
