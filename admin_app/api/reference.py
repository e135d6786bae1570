"""The reference of the API as Markdown, made from its own OpenAPI description: every route there is, by noun.

Pure. `docs/api.md` holds the result between two marks; a test keeps it true and can write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BEGIN, END = "<!-- routes: begin -->", "<!-- routes: end -->"
_METHODS = ("get", "post", "put", "delete")


def in_document(document: str, openapi: Mapping[str, Any]) -> str:
    """The document with the routes of this description between its marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(openapi)}\n{END}{after}"


def markdown(openapi: Mapping[str, Any]) -> str:
    """One table for each noun, in the order the nouns come up."""
    by_noun: dict[str, list[str]] = {}
    for path, method, operation in _operations(openapi):
        rows = by_noun.setdefault(operation["tags"][0], [])
        rows.append(f"| `{method.upper()} {path}` | {_words(operation)} |")
    tables = (f"### {noun}\n\n| call | does |\n|---|---|\n" + "\n".join(rows) for noun, rows in by_noun.items())
    return "\n\n".join(tables) + "\n"


def _operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in openapi["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield path, method, operations[method]


def _words(operation: Mapping[str, Any]) -> str:
    """What its docstring says, on one line; where it says nothing, its name."""
    said = " ".join(str(operation.get("description") or operation["summary"]).split())
    return said.replace("|", "\\|")
