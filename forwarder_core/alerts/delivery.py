"""What the sender needs of a messenger, and how a message can fail to arrive. No vendor's exception gets this far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from forwarder_core.alerts.text import Message
from forwarder_core.errors import ForwarderError


@dataclass(frozen=True, slots=True)
class Address:
    """A bot and the chat it writes to: an @name, or a number that is negative for groups and channels."""

    token: str = field(repr=False)
    chat_id: str

    @property
    def is_shared(self) -> bool:
        return not self.chat_id.isdigit()


class Sender(Protocol):
    """Each call raises one of the classes below when Telegram did not take it."""

    def send(self, to: Address, message: Message, *, reply_to: int | None = None) -> int:
        """The id of the message sent. A `reply_to` that is gone is passed over."""

    def edit(self, to: Address, message_id: int, message: Message) -> None:
        """Replace the text; fine when it says that already."""


class NotDelivered(ForwarderError):
    code = "alert_not_delivered"
    action = "Nothing yet: it is sent again by itself."


class Unreachable(NotDelivered):
    """No answer, or one from in between. The message may have arrived."""

    code = "telegram_unreachable"
    action = "Nothing yet: it is sent again by itself. Check the server's network and proxy if it lasts."


class AskedTwice(Unreachable):
    """Somebody else hears this bot at the same time, or has it call another address."""

    code = "telegram_conflict"
    action = "Let only one installation listen to this bot; switch its commands off everywhere else."


class SlowDown(NotDelivered):
    code = "telegram_slow_down"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChatMoved(NotDelivered):
    code = "telegram_chat_moved"
    action = "Nothing: the new id of the group is taken over by itself."

    def __init__(self, message: str, *, chat_id: str) -> None:
        super().__init__(message)
        self.chat_id = chat_id


class Misconfigured(NotDelivered):
    """Bot or chat are not what they should be: only a person can mend it."""

    code = "telegram_misconfigured"
    action = "Correct the bot token and the channel under Settings → Notifications, then press Test."


class Refused(NotDelivered):
    """This very message is not taken; others may be."""

    code = "telegram_refused"
    action = "Nothing: the alert is sent in a shorter form."
