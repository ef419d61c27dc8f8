"""Reads a report as a browser would: elements, texts and tables, with unclosed or misplaced tags refused."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input"}


@dataclass
class Element:
    """An element with its attributes, children and text."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, in order."""
        return "".join(self.pieces)

    def all(self, tag: str) -> list["Element"]:
        """Return every descendant of a tag, in order."""
        found = []
        for child in self.children:
            found += [child] if child.tag == tag else []
            found += child.all(tag)
        return found

    def one(self, tag: str, **attributes: str) -> "Element":
        """Return the only descendant of a tag with these attributes."""
        [found] = [one for one in self.all(tag) if attributes.items() <= one.attributes.items()]
        return found

    def rows(self) -> list[list["Element"]]:
        """Return the cells of every row of a table."""
        return [row.children for row in self.all("tr")]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"expected </{self.open[-1].tag}>, was </{tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)


def parse(html: str) -> Element:
    """Return the document; fail where a tag is not closed where it should be."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [parser.root], f"never closed: {parser.open[-1].tag}"
    return parser.root
