"""What a request may be: as large as is allowed, and answered by one sentence whatever goes wrong."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENVELOPE_BYTES = 1_000_000
"""A body may be larger than the upload in it by that: names of fields and files, 200 bytes each."""


class LargestBody:
    """Stops a body that is too large while it comes, before it fills the disk.

    How large is left to the sender's word where there is one, and counted where there is none.
    """

    def __init__(self, app: ASGIApp, largest_bytes: int) -> None:
        self._app = app
        self._largest_bytes = largest_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _promised_bytes(scope) > self._largest_bytes:
            answer = JSONResponse({"detail": self._told()}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            await answer(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._largest_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._told())
            return message

        await self._app(scope, counted, send)

    def _told(self) -> str:
        limit = (self._largest_bytes - ENVELOPE_BYTES) / 1_000_000
        return f"The upload is larger than {limit:g} MB. Serve with a higher --largest-mb."


def _promised_bytes(scope: Scope) -> int:
    """What the header says of the body's length; 0 where it says nothing."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def misunderstood(_: Request, error: Exception) -> JSONResponse:
    """The answer to a request of the wrong form, which repeats nothing of it: a name may tell a patient's."""
    problems = error.errors() if isinstance(error, RequestValidationError) else ()
    return JSONResponse({"detail": _sentence(problems)}, HTTPStatus.UNPROCESSABLE_ENTITY)


def _sentence(problems: Sequence[Any]) -> str:
    """What is wrong with each field, by the names that the service gave them.

    Example:
        >>> _sentence([{"loc": ("body", "file"), "msg": "Field required", "input": "Jane Doe"}])
        'The request is not understood: file: Field required.'
    """
    told = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems]
    return f"The request is not understood: {'; '.join(told)}."
