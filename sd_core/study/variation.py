"""A study of which one strategy is tried with other keys than its file gives it.

What is right and wrong belongs in ``model``, the wording of a refusal in ``findings``.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sd_core.errors import InputError
from sd_core.study.findings import findings
from sd_core.study.loading import keys_at
from sd_core.study.model import Study


def vary(study: Study, strategy: str, changes: Mapping[str, Any]) -> Study:
    """Return the study with one of its strategies alone, some keys of which are changed, and without plans.

    Args:
        study: the study.
        strategy: the name of one of its strategies.
        changes: by key of the strategy. Of a part, the keys that a mapping names replace those of the study, and the
            others stay; anything else replaces what the study says.

    Raises:
        InputError: a key or value is refused; the message has a line per finding.
    """
    written = study.model_dump(exclude_unset=True, by_alias=True)
    # A plan's core may be a strategy that is gone then.
    for key in ("buckets", "satellite_universe"):
        written.pop(key, None)
    parts = written["strategies"][strategy]
    merged = {key: _merged(parts.get(key), change) for key, change in changes.items()}
    try:
        return Study.model_validate({**written, "strategies": {strategy: {**parts, **merged}}})
    except ValidationError as error:
        raise InputError(
            "\n".join(findings(error.errors(include_url=False), keys_at, lambda location: location))
        ) from None


def _merged(given: object, change: object) -> object:
    return {**given, **change} if isinstance(given, Mapping) and isinstance(change, Mapping) else change
