"""Live updates."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import StreamingResponse

from api.faults import NotLoggedIn
from api.routes.router import make_router
from api.stream import LiveStream
from api.web.sessions import Asker, UseCases, recognise

router = make_router("stream")


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
def follow(
    request: Request,
    asker: Asker,
    use: UseCases,
    last_event_id: Annotated[str, Header(max_length=40)] = "",
) -> StreamingResponse:
    """Server-sent events: `alert` and `incident` with the thing as it is now, `reset`.

    Send `Last-Event-ID` to go on where a lost connection was.
    """
    use.alerts.watch(asker)
    if asker is None:
        raise NotLoggedIn("log in first")
    live: LiveStream = request.app.state.live
    live.check_room(asker)
    events = live.follow(asker, last_event_id, partial(_may_still_look, request))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _may_still_look(request: Request) -> bool:
    person = recognise(request)
    return person is not None and person.may("alerts.read")
