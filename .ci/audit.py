"""Known vulnerabilities of the pinned packages, by the database of OSV (https://osv.dev).

    python .ci/audit.py [--database FILE]

OSV's server is asked once for all pins, then for what it says of each vulnerability. Where it cannot be reached, the
audit is skipped and says why: a build needs no network. With ``--database`` no server is asked but a copy of the
database is read, the ZIP file of JSON documents that OSV publishes for PyPI. Findings that are accepted stand in
``accepted-vulnerabilities.toml`` beside this file, each with the reason. Ends with 1 where others were found.
"""

import argparse
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "constraints.txt"
ACCEPTED = Path(__file__).with_name("accepted-vulnerabilities.toml")
SERVER = "https://api.osv.dev"
ECOSYSTEM = "PyPI"
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)")
# Seconds that the server may take for an answer.
PATIENCE = 10.0
# As https://ossf.github.io/osv-schema/ has them.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A pinned package with a known vulnerability.

    Attributes:
        package: its name.
        version: the one that is pinned.
        names: the vulnerability's id in the database, then those that it has elsewhere.
        fixed: the first version without it, above the one that is pinned; None where there is none yet.
        summary: what it is, in a line.
    """

    package: str
    version: str
    names: tuple[str, ...]
    fixed: str | None
    summary: str

    def __str__(self) -> str:
        """Return the finding in a line."""
        remedy = f"fixed in {self.fixed}" if self.fixed else "not fixed in any version yet"
        return f"{self.package} {self.version}: {', '.join(self.names)}: {remedy}: {self.summary}"


def main(arguments: list[str] | None = None) -> int:
    """Audit the pins and return the exit code: 1 where something was found that is not accepted."""
    parser = argparse.ArgumentParser(description="Known vulnerabilities of the pinned packages.")
    parser.add_argument("--pins", type=Path, default=PINS, help="lines NAME==VERSION (default: %(default)s)")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="accepted findings (default: %(default)s)")
    parser.add_argument("--database", type=Path, metavar="FILE", help="read OSV's ZIP file instead of asking a server")
    parser.add_argument("--server", default=SERVER, help="default: %(default)s")
    asked = parser.parse_args(arguments)
    pins, accepted = read_pins(asked.pins), read_accepted(asked.accepted)
    try:
        records = read_database(asked.database, pins) if asked.database else ask_server(asked.server, pins)
        found = findings(pins, records)
    except requests.RequestException as error:
        print(f"audit: skipped: {asked.server} did not answer as OSV does ({type(error).__name__}): nothing was judged")
        return 0
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SystemExit(
            f"{asked.database}: {error}: expected the ZIP file that OSV publishes for {ECOSYSTEM}"
        ) from None
    return report(found, accepted, len(pins))


def report(found: Iterable[Finding], accepted: Mapping[str, str], count: int) -> int:
    """Print what was found, and return the exit code."""
    refused, known = [], set()
    for one in found:
        names = accepted.keys() & set(one.names)
        known |= names
        if not names:
            refused.append(one)
    for one in refused:
        print(f"audit: {one}")
    for name in sorted(accepted.keys() - known):
        print(f"audit: {name} is accepted, and was not found: it can go from the list")
    print(f"audit: {count} pins: {len(refused)} known vulnerabilities, {len(known)} more are accepted")
    return 1 if refused else 0


def read_pins(file: Path) -> dict[str, str]:
    """Return the pinned version of each package, by its normalised name."""
    lines = file.read_text(encoding="utf-8").splitlines()
    pins = [PIN.match(line) for line in lines if line.strip() and not line.startswith("#")]
    if not pins or None in pins:
        raise SystemExit(f"{file}: expected lines such as numpy==2.4.1")
    return {str(canonicalize_name(pin["name"])): str(Version(pin["version"])) for pin in pins if pin}


def read_accepted(file: Path) -> dict[str, str]:
    """Return the reason for which each vulnerability is accepted, by its id."""
    accepted = tomllib.loads(file.read_text(encoding="utf-8"))
    for name, reason in accepted.items():
        if not isinstance(reason, str) or not reason.strip():
            raise SystemExit(f"{file}: {name}: expected the reason for which it is accepted")
    return accepted


def ask_server(server: str, pins: Mapping[str, str]) -> Iterator[Record]:
    """Yield what OSV's server has of the vulnerabilities of these versions.

    Raises:
        requests.RequestException: it cannot be reached, or does not answer as OSV does.
    """
    with requests.Session() as session:
        queries = [
            {"package": {"name": name, "ecosystem": ECOSYSTEM}, "version": version} for name, version in pins.items()
        ]
        ids: set[str] = set()
        while queries:
            answer = _answer(session.post(f"{server}/v1/querybatch", json={"queries": queries}, timeout=PATIENCE))
            asked, queries = queries, []
            for query, result in zip(asked, answer["results"], strict=True):
                ids |= {one["id"] for one in result.get("vulns", ())}
                if token := result.get("next_page_token"):
                    queries.append({**query, "page_token": token})
        for name in sorted(ids):
            yield _answer(session.get(f"{server}/v1/vulns/{name}", timeout=PATIENCE))


def _answer(response: requests.Response) -> Any:
    response.raise_for_status()
    return response.json()


def read_database(file: Path, pins: Mapping[str, str]) -> Iterator[Record]:
    """Yield what a copy of the database has of these packages."""
    with zipfile.ZipFile(file) as documents:
        for name in documents.namelist():
            record = json.loads(documents.read(name))
            if any(_name(affected) in pins for affected in record.get("affected", ())):
                yield record


def findings(pins: Mapping[str, str], records: Iterable[Record]) -> list[Finding]:
    """Return which pins have one of these vulnerabilities, by name and id; what was withdrawn is none."""
    found = {}
    for record in records:
        for affected in record.get("affected", ()):
            package = _name(affected)
            if record.get("withdrawn") or package not in pins or not _is_affected(pins[package], affected):
                continue
            names = (record["id"], *record.get("aliases", ()))
            summary = (record.get("summary") or record.get("details") or "no description").splitlines()[0]
            found[package, names[0]] = Finding(package, pins[package], names, _fixed(pins[package], affected), summary)
    return [found[key] for key in sorted(found)]


def _name(affected: Record) -> str:
    """Return the normalised name of a package; none of another ecosystem has one."""
    package = affected.get("package", {})
    return str(canonicalize_name(package["name"])) if package.get("ecosystem") == ECOSYSTEM else ""


def _is_affected(version: str, affected: Record) -> bool:
    return version in affected.get("versions", ()) or any(_is_inside(version, events) for events in _ranges(affected))


def _is_inside(version: str, events: list[tuple[Version, str]]) -> bool:
    """Return whether the last event at or before a version is that the vulnerability came in."""
    inside = False
    for at, kind in events:
        if at < Version(version) or (at == Version(version) and kind != "last_affected"):
            inside = kind == "introduced"
    return inside


def _fixed(version: str, affected: Record) -> str | None:
    fixes = [at for events in _ranges(affected) for at, kind in events if kind == "fixed" and at > Version(version)]
    return str(min(fixes)) if fixes else None


def _ranges(affected: Record) -> list[list[tuple[Version, str]]]:
    """Return the events of each range in the order of their versions."""
    return [
        sorted(
            (_version(at), kind)
            for event in one.get("events", ())
            for kind, at in event.items()
            if kind in ("introduced", "fixed", "last_affected")
        )
        for one in affected.get("ranges", ())
        if one.get("type") == "ECOSYSTEM"
    ]


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        # Of a release from before versions had an order; it is older than all that have one.
        return Version("0")


if __name__ == "__main__":
    sys.exit(main())
