"""`run settings-doc`: what the code knows about itself, written down: .env.example and the tables in docs.

What lives here: rendering. Settings are defined in forwarder_core/settings.py, tunables in services/tunables.py,
errors in forwarder_core/errors.py.
The fact to know: a house test compares the rendering with the files, so none of these can go undocumented. In a page of
docs only what stands between two marks is ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from forwarder_core.embedded.environment import ROOT
from forwarder_core.errors import ForwarderError, Retry
from forwarder_core.services import describing, tunables
from forwarder_core.services.tunables import Tunable
from forwarder_core.settings import PREFIX, Settings

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
_RETRIES: dict[Retry | None, str] = {
    Retry.BACKOFF: "retries after 10, 60, 300 s",
    Retry.AS_TOLD: "waits as the platform said; burns no retry",
    Retry.ONCE: "tries once more",
    Retry.NEVER: "dead letter at once",
    Retry.HOLD: "account and connections pause, the job waits",
    Retry.RECONCILE: "asks the destination what happened",
    Retry.ASK: "asks you",
    Retry.DONE: "ends the job; nothing was done",
}
_ERRORS_ELSEWHERE = (
    "forwarder_core.alerts.delivery",
    "forwarder_core.alerts.ping",
    "forwarder_core.cli.chaos",
    "forwarder_core.cli.restore",
    "forwarder_core.cli.worker_hosts",
    "forwarder_core.db.schema",
    "forwarder_core.embedded.binaries",
    "forwarder_core.embedded.dumps",
    "forwarder_core.embedded.postgres",
    "forwarder_core.embedded.sealed_file",
    "forwarder_core.embedded.supervisor",
    "forwarder_core.media.failures",
    "forwarder_core.services.refusals",
    "forwarder_core.services.rehearsing",
    "forwarder_core.services.rotating",
    "forwarder_core.simulator.guard",
    "forwarder_core.vault",
)
_HEAD = """\
# Settings of the environment, each with its default; copy to .env and uncomment what you change.
# Every one may also be given as NAME_FILE: the path of a file that holds the value.
# Made by `./run settings-doc` from forwarder_core/settings.py.
"""


def command(check: bool = False) -> None:
    """Write .env.example and the table in docs/configuration.md; with --check only say whether they are fresh."""
    stale = [path for path, text in rendered(ROOT).items() if not path.is_file() or path.read_text("utf-8") != text]
    if not check:
        for path in stale:
            path.write_text(rendered(ROOT)[path], "utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale, run ./run settings-doc' if check else 'written'}")
    if check and stale:
        raise SystemExit(1)


def rendered(root: Path) -> dict[Path, str]:
    """Each file with the text it should have; in a page of docs the tables between the marks."""
    files = {root / ".env.example": env_example()}
    for page, tables in _PAGES.items():
        path = root / "docs" / page
        if path.is_file():
            text = path.read_text("utf-8")
            for name, render in tables.items():
                text = _between(text, f"<!-- {name}: begin -->", f"<!-- {name}: end -->", render())
            files[path] = text
    return files


def _between(text: str, begin: str, end: str, table: str) -> str:
    if begin not in text or end not in text:
        return text
    return f"{text.partition(begin)[0]}{begin}\n{table}{end}{text.partition(end)[2]}"


def env_example() -> str:
    rows = (f"\n# {field.description}\n#{name}={default}\n" for name, default, field in _settings())
    return _HEAD + "".join(rows)


def table() -> str:
    rows = (
        f"| `{name}` | {f'`{default}`' if default else ''} | {field.description} |\n"
        for name, default, field in _settings()
    )
    return "| setting | default | meaning |\n|---|---|---|\n" + "".join(rows)


def tunables_table() -> str:
    rows = (
        f"| `{t.key}` | {_numbers(t.default)} | {t.unit} | {t.text} | {_range(t)} |\n" for t in tunables.ALL.values()
    )
    return "| key | default | unit | meaning | range |\n|---|---|---|---|---|\n" + "".join(rows)


def codes_table() -> str:
    rows = (
        f"| `{cls.code}` | {_title(cls)} | {_RETRIES.get(getattr(cls, 'retry', None), '')} | {cls.action} |\n"
        for cls in sorted(_all_errors(), key=lambda cls: cls.code)
    )
    return "| code | means | what the engine does | what to do |\n|---|---|---|---|\n" + "".join(rows)


def alerts_table() -> str:
    rows = (
        f"| `{kind}` | {title} | {severity} | {'on' if is_on else 'off'} |\n"
        for kind, title, severity, is_on in describing.alert_kinds()
    )
    return "| kind | when | severity | at first |\n|---|---|---|---|\n" + "".join(rows)


def columns_table() -> str:
    rows = (f"| `{name}` | {', '.join(columns)} |\n" for name, columns in describing.columns().items())
    return "| table | columns (→ the table a column refers to) |\n|---|---|\n" + "".join(rows)


def _all_errors() -> set[type[ForwarderError]]:
    """Every class of the tree that has a code of its own, wherever it is defined."""
    for module in _ERRORS_ELSEWHERE:
        importlib.import_module(module)

    def below(cls: type[ForwarderError]) -> set[type[ForwarderError]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    written = {"forwarder_core.errors", *_ERRORS_ELSEWHERE}  # whatever else happens to be loaded
    return {cls for cls in below(ForwarderError) if "code" in vars(cls) and cls.__module__ in written}


def _title(cls: type[ForwarderError]) -> str:
    return getattr(cls, "title", "") or cls.code.replace("_", " ").capitalize()


def _numbers(value: Any) -> str:
    if isinstance(value, (str, tuple, dict)):
        return value if isinstance(value, str) else ", ".join(f"{part:g}" for part in value) or "none"
    return ("off", "on")[value] if isinstance(value, bool) else f"{value:g}"


def _range(t: Tunable) -> str:
    if t.choices:
        return ", ".join(t.choices)
    is_range = t.is_number and not isinstance(t.default, bool)
    return f"{t.least:g} … {t.most:g}" if is_range else ""


def _settings() -> list[tuple[str, str, FieldInfo]]:
    return [(PREFIX + name.upper(), _shown(field.default), field) for name, field in Settings.model_fields.items()]


def _shown(default: Any) -> str:
    if default is None or default == ():
        return ""
    return str(default.value) if isinstance(default, Enum) else str(default)


_PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "configuration.md": {"settings": table, "tunables": tunables_table},
    "troubleshooting.md": {"codes": codes_table},
    "notifications.md": {"kinds": alerts_table},
    "data-model.md": {"columns": columns_table},
}
