"""Stored files of what the code gave when that was last agreed to, and the comparison with them.

``SD_SNAPSHOT=write`` in the environment rewrites them instead. What is compared belongs in the tests.
"""

import difflib
import json
import math
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden"
ADVICE = "Where this is what is wanted, rewrite the file, and say why in the commit:"


def difference(name: str, found: Any, tolerance: float = 0.0) -> str:
    """Return how values differ from the stored file of that name, as a unified diff; nothing where they do not.

    Args:
        name: of the file, without folder and ending.
        found: dictionaries, lists, texts, numbers; the order of a dictionary counts.
        tolerance: by how much a float may differ, relative to the stored one.
    """
    file = FOLDER / f"{name}.json"
    if os.environ.get("SD_SNAPSHOT") == "write":
        file.write_text(_text(found), encoding="utf-8")
        return ""
    stored = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    lines = difflib.unified_diff(
        _text(stored).splitlines(),
        _text(_settled(found, stored, tolerance)).splitlines(),
        f"stored: {file.parent.name}/{file.name}",
        "found now",
        lineterm="",
    )
    diff = "\n".join(lines)
    return f"{diff}\n\n{ADVICE}\n{_command()}\n" if diff else ""


def _text(values: Any) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _settled(found: Any, stored: Any, tolerance: float) -> Any:
    """Return what was found, with the stored number in place of one that is as good as it."""
    if isinstance(found, dict):
        known = stored if isinstance(stored, dict) else {}
        return {name: _settled(value, known.get(name), tolerance) for name, value in found.items()}
    if isinstance(found, float) and isinstance(stored, float) and math.isclose(found, stored, rel_tol=tolerance):
        return stored
    return found


def _command() -> str:
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
    return f"SD_SNAPSHOT=write .venv/bin/pytest '{test}'"
