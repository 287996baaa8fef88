"""Rooms to choose one of; used by the join screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.message import Message

from tui import bindings
from tui.widgets.device_list import DeviceList, Row


class RoomList(DeviceList, inherit_bindings=False):
    """As a list of devices, and what is not wanted can be taken out."""

    BINDINGS: ClassVar = [*bindings.ROOM_LIST]
    BINDING_GROUP_TITLE = "List of rooms"

    @dataclass
    class Forgotten(Message):
        """This one is not to be offered any more."""

        row: Row

    def action_forget(self) -> None:
        """Do not offer the selected room any more."""
        if (row := self.selected) is not None:
            self.post_message(self.Forgotten(row))
