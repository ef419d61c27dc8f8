"""Words that a native technical writer would not use, and the project's one word for an idea.

The test reads the pages, SQL and studies, and of Python the comments, the strings (docstrings, descriptions, messages)
and the names of functions and classes. A word that is right in its place is listed in :data:`ALLOWED`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab import PROJECT

# What is not written, as a regular expression, and what is written instead.
INSTEAD = {
    r"simply holding": "buy-and-hold",
    r"told apart|tells? \w+ apart": "significant, or distinguished",
    r"(drawn|resampled) histor(y|ies)|histories (were|are|was) drawn": "bootstrap samples",
    r"drawn cases?": "random cases",
    r"tell whether": "return whether",
    # Where data decide nothing, a verdict says that it cannot tell.
    r"(?<!cannot )tells?|told|telling": "say, report, state, have",
    r"brings?|brought|bringing": "return, earn, raise, add; proceeds",
    r"stands?|stood|standing": "is, lies; represents",
    r"anew": "again; recompute, rewrite",
    r"nobody|somebody|anybody|everybody|whoever": "no one; the reader, another process; or the passive voice",
    r"of one's own": "your own",
    r"aims? at": "target",
    r"held against": "compared with",
    r"(what )?(becomes?|became) of": "outcome",
    r"let go of": "discard",
    r"lest|whence|wherein|thereof|thereby": "so as not to, from where, in which",
}
# By file, or by the end of its name: what is right there.
ALLOWED = {
    "pipelines/cli/main.py": ["bring the study up to date"],
    "pipelines/cli/run.py": ["Bring a study up to date"],
    "tests/study/test_study.py": ["*nobody", "alias 'nobody'", "~nobody_of_this_name"],
    "tests/warehouse/test_query.py": ["let go of it and attach it to write"],
    # The list itself.
    "tests/docs/test_words.py": None,
}

WORDS = {re.compile(rf"\b({pattern})\b", re.IGNORECASE): instead for pattern, instead in INSTEAD.items()}
LONGEST_NAME = 80


def files(*patterns: str) -> list[Path]:
    """Return the files of the project that match, without what is built, stored or downloaded."""
    return sorted({file for pattern in patterns for file in PROJECT.glob(pattern)})


PAGES = files("*.md", "docs/*.md", "Makefile", "pyproject.toml", "studies/*.yaml", "sql/**/*.sql")
PYTHON = files(*(f"{folder}/**/*.py" for folder in ("sd_core", "pipelines", "tests", "benchmarks")))


def python_texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every comment and every string, and the names of functions."""
    source = file.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name.replace("_", " ")


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line of a page."""
    yield from enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)


def odd_words(file: Path) -> Iterator[str]:
    """Yield every word that is not written, with its place and what to write instead."""
    allowed = ALLOWED.get(file.relative_to(PROJECT).as_posix(), [])
    if allowed is None:
        return
    right = re.compile("|".join(map(re.escape, allowed)) or r"(?!)")
    for number, text in python_texts(file) if file.suffix == ".py" else lines(file):
        for pattern, instead in WORDS.items():
            for found in pattern.finditer(right.sub("", text)):
                yield f"{file.relative_to(PROJECT)}:{number}: '{found[0]}'; write: {instead}"


@pytest.mark.parametrize("kind", [PAGES, PYTHON], ids=["pages", "python"])
def test_no_odd_word_is_written(kind: list[Path]) -> None:
    assert kind
    assert [word for file in kind for word in odd_words(file)] == []


def test_names_of_tests_are_short() -> None:
    names = (
        node.name
        for file in files("tests/**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    assert [name for name in names if len(name) > LONGEST_NAME] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("Tell whether it stands.", 3), ("An understanding withstands the outstanding.", 0), ("Simply holding", 1)],
)
def test_whole_words_are_found_in_any_case(text: str, count: int) -> None:
    assert sum(len(pattern.findall(text)) for pattern in WORDS) == count
