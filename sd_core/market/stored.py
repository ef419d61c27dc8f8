"""The panel of a market that a lake holds, for work that is handed to other processes.

How a market becomes arrays belongs in ``build``.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sd_core.lake import Version
from sd_core.market.build import to_panel
from sd_core.market.panel import Panel
from sd_core.study.model import Study


@dataclass(frozen=True)
class StoredPanel:
    """A panel that each process reads from the lake for itself, once: of it no more than this is handed over.

    Attributes:
        study: whose universe it is.
        market: the stored version; its reader holds the lake's shared lock.
    """

    study: Study
    market: Version

    @cached_property
    def panel(self) -> Panel:
        """The prices, as arrays."""
        return to_panel(self.study, *(self.market.read(name) for name in ("sessions", "prices", "rates")))

    def __getstate__(self) -> dict[str, Any]:
        return {"study": self.study, "market": self.market}
