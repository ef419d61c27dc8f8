"""Reading a study's YAML: from a path to keys and values, or to one error that the user can act on.

What the keys mean and which values they may have belongs in ``study``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sd_core.errors import InputError

# Thousands of assets fit; a file picked by mistake is refused before a slow parser meets it.
MAX_BYTES = 1_000_000


def read_mapping(path: Path) -> Mapping[str, Any]:
    """Return the keys and values at the top of a YAML 1.2 file; dates stay text as written.

    Raises:
        InputError: the file cannot be read, is not YAML, repeats a key, or holds something else than keys and values.
    """
    document = _parse(path, _read(path))
    if document is None:
        raise InputError(f"{path}: the file is empty: expected a study's keys and values, such as name: demo")
    if not isinstance(document, Mapping):
        held = "a list" if isinstance(document, list) else "a single value"
        raise InputError(f"{path}: the file holds {held}: expected a study's keys and values, such as name: demo")
    return document


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: expected a study file that can be read") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: the file is too large: expected a study of at most {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8: expected YAML, in UTF-8") from None


def _parse(path: Path, text: str) -> object:
    # YAML 1.2: a ticker such as ON or NO stays a word.
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _WordsForDates
    try:
        return yaml.load(text)
    except DuplicateKeyError as error:
        # The library goes on to state both values and how to switch the check off.
        repeated = str(error.problem).partition(" with value")[0]
        raise InputError(f"{path}: {_line(error)}{repeated}: expected every key once") from None
    except MarkedYAMLError as error:
        problem = str(error.problem or error.context).removeprefix("but ")
        raise InputError(f"{path}: {_line(error)}{problem}: expected YAML") from None
    except RecursionError:
        raise InputError(f"{path}: values are nested too deeply: expected a study's keys and values") from None
    except (YAMLError, ValueError, LookupError) as error:  # the last where a value is not of its tag: !!bool "abc"
        raise InputError(f"{path}: {str(error).splitlines()[0]}: expected YAML") from None


class _WordsForDates(SafeConstructor):
    """Leaves dates as text: the parser's own error for an impossible one would not say where it is."""


_WordsForDates.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _line(error: MarkedYAMLError) -> str:
    return f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
