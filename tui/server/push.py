"""Push notifications: this server has no provider that could deliver one (signalling reference, 2.6 and 3.7).

Used by the application. It answers as AMS does when the app has no key for its subscribers' tokens: a command that
lacks something is named, and no token is valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.commands import RegisterPushNotificationToken, SendPushNotification

if TYPE_CHECKING:
    from tui.server.client import Client

COMMANDS = (RegisterPushNotificationToken.command, SendPushNotification.command)


def answer(client: Client, message: RegisterPushNotificationToken | SendPushNotification) -> None:
    """Refuse it by name."""
    if not (message.subscriber_id and message.token):
        refuse_incomplete(client, message.command)
    else:
        client.refuse("authenticationTokenNotValid", information=f"{message.command}: no push provider here")


def refuse_incomplete(client: Client, command: str) -> None:
    """The command came without a field that it needs."""
    client.refuse("missingParameter", information=f"{command}: a required field is missing")
