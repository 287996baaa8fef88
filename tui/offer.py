"""Which of the app's actions make sense as a call is now. Pure; used by the app for its keys and its palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import CallState, ShareState
from tui.favours import favours

if TYPE_CHECKING:
    from tui.updates import CallView, Person


def offered(action: str, view: CallView, person: Person | None) -> bool | None:
    """Whether to offer it while ``person`` is selected: ``None`` shows it greyed, ``False`` not at all.

    Join or leave, whichever is possible; the microphone and camera only when there are any.
    """
    joined = view.state is CallState.JOINED
    somebody = person is not None and not person.is_self
    match action:
        case "join" | "settings":
            return not view.in_call
        case "leave":
            return view.in_call
        case "retry":
            return view.state is CallState.RECONNECTING
        case "microphone" | "talk":
            possible = view.microphone is not None
        case "camera":
            possible = view.camera is not None
        case "away":
            possible = view.state in (CallState.JOINED, CallState.RECONNECTING) and not view.play_only
        case "deafen" | "volume":
            possible = view.in_call
        case "share":
            possible = (joined and not view.play_only) or view.share.state is not ShareState.OFF
        case "react" | "publish":
            possible = joined
        case "hand":
            possible = joined and view.play_only
        case "admit":
            possible = somebody and person is not None and person.hand
        case "moderate":
            possible = joined and person is not None and bool(favours(person))
        case "details":
            possible = person is not None
        case "person_volume" | "silence_person":
            possible = somebody
        case _:
            possible = True
    return True if possible else None
