"""How a lower floor tells news upward: it declares a Hook, and main connects the handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

News = TypeVar("News")


class Hook(Generic[News]):
    """Handlers run in order inside the caller's transaction; a handler that fails rolls everything back.

    What must happen outside (mail, other systems) becomes a letter or a job row, not a handler.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: list[Callable[[News], Awaitable[None]]] = []

    def connect(self, handler: Callable[[News], Awaitable[None]]) -> None:
        """Connected once; main is the only caller, and calling twice with one handler changes nothing."""
        if handler not in self._handlers:
            self._handlers.append(handler)

    async def tell(self, news: News) -> None:
        for handler in self._handlers:
            await handler(news)
