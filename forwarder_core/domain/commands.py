"""What may be commanded from a chat, and how a line or a pressed button is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    STATUS = "status"
    WHY = "why"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    SOLVED = "solved"
    CODE = "code"
    APPROVE = "approve"
    ANSWER = "answer"
    CONFIRM = "confirm"
    HELP = "help"


USAGE = {
    Verb.STATUS: "/status",
    Verb.WHY: "/why <post or job>",
    Verb.PAUSE: "/pause <connection>",
    Verb.RESUME: "/resume <connection>",
    Verb.RETRY: "/retry <job>",
    Verb.SOLVED: "/solved <account> [notes]",
    Verb.CODE: "/code <account> <code>",
    Verb.APPROVE: "/approve <job> [answer]",
    Verb.CONFIRM: "/confirm <job> live|again",
}
_LEAST = {
    Verb.WHY: 1,
    Verb.PAUSE: 1,
    Verb.RESUME: 1,
    Verb.RETRY: 1,
    Verb.SOLVED: 1,
    Verb.CODE: 2,
    Verb.APPROVE: 1,
    Verb.ANSWER: 2,
    Verb.CONFIRM: 2,
}
_PRESSED = (Verb.ANSWER, Verb.CONFIRM, Verb.SOLVED)
_TYPED = (*USAGE, Verb.HELP)


@dataclass(frozen=True, slots=True)
class Command:
    """`words`: everything after the verb, split at spaces."""

    verb: Verb
    words: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return len(self.words) >= _LEAST.get(self.verb, 0)

    @property
    def rest(self) -> str:
        """All words as one, for a name with spaces in it."""
        return " ".join(self.words)


def typed(text: str) -> Command | None:
    """`/why 12` or `/why@our_bot 12`; None for a line that is no command. An unknown one asks for help."""
    head, *words = text.split()[:200] or [""]
    if not head.startswith("/") or len(head) < 2:
        return None
    name = head[1:].partition("@")[0].lower()
    verb = Verb(name) if name in _TYPED else Verb.HELP
    return Command(verb, tuple(words))


def pressed(data: str) -> Command | None:
    """`verb:word:word` as our own buttons say it; None for anything else."""
    head, *words = data.split(":")
    if head not in _PRESSED:
        return None
    command = Command(Verb(head), tuple(words))
    return command if command.is_whole else None
