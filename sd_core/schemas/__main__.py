"""Print the data dictionary: ``python -m sd_core.schemas``."""

from sd_core.schemas import TABLES
from sd_core.schemas.dictionary import data_dictionary

print(data_dictionary(TABLES.values()), end="")
