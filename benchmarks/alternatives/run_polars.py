"""Rolling correlation of every pair in Polars, one expression per pair; the closes come from the file that is named.

Prints one line of JSON: seconds of the fastest of several runs, and the correlations of the last session, pairs in the
order of the assets.
"""

import json
import sys
import time

import numpy as np
import polars as pl

REPEATS = 3


def main() -> None:
    """Measure, and say what came out."""
    with np.load(sys.argv[1]) as file:
        closes, window = file["closes"], int(file["window"])
    names = [str(asset) for asset in range(closes.shape[1])]
    returns = pl.DataFrame(np.diff(np.log(closes), axis=0), schema=names)
    pairs = [
        pl.rolling_corr(pl.col(one), pl.col(other), window_size=window).alias(f"{one}-{other}")
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    ]
    seconds = []
    for _ in range(REPEATS + 1):  # the first does not count
        began = time.perf_counter()
        found = returns.select(pairs)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"version": pl.__version__, "seconds": min(seconds[1:]), "last": found.row(-1)}))


if __name__ == "__main__":
    main()
