"""What of a call is put in front of everything for some seconds, besides its line in the log. Pure; used by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tui.core.events import CallState
from tui.text import with_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.notifications import SeverityLevel

    from tui.updates import CallView

Toast: TypeAlias = "tuple[str, SeverityLevel]"


def toasts(old: CallView, new: CallView) -> Iterator[Toast]:
    """What has become of a call that somebody should not miss."""
    if new.state is not old.state or new.reason != old.reason:
        text = with_hint(new.reason, new.hint)
        if new.state is CallState.FAILED:
            yield text or "The room cannot be joined.", "error"
        elif new.state is CallState.RECONNECTING:
            yield text or "The connection was lost; reconnecting.", "warning"
    if new.state is CallState.JOINED and new.output_hint and new.output_hint != old.output_hint:
        yield new.output_hint, "warning"
    if new.share.reason and new.share != old.share:
        yield f"Nothing is shared: {with_hint(new.share.reason, new.share.hint)}", "warning"
    if new.refusal and new.refusal != old.refusal:
        yield f"You listen again: {new.refusal}", "warning"
    if new.muted_speech is not None and new.muted_speech != old.muted_speech:
        yield "You are muted but talking.", "warning"
