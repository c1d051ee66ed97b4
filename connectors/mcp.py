"""MCP over streamable HTTP: what the tools of a server answer.

Speaks     ``POST {endpoint}`` of the Model Context Protocol, answered as ``text/event-stream``
Framing    SSE, one JSON-RPC message an event
Emits      :class:`~operators.packet.Delta`
Reference  https://modelcontextprotocol.io/specification (basic/transports, server/tools, server/resources)

This is no model's stream, but its text goes *to* a model: the place where an injection comes in. So the
texts of a tool's result, of a resource that is read and of a prompt that is fetched become TEXT lanes,
one for each block, in the order they come. ``structuredContent`` repeats the blocks and is not read
again. Of other results (initialize, lists) and of notifications nothing is taken.

A response body is one stream. It ends with its bytes: *stop* once a request was answered, else
*truncated*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors._decoder import Dialect, listed
from operators.packet import Channel, Finish

__all__ = ["McpHttp"]

_TEXT = int(Channel.TEXT)


class McpHttp(Dialect):
    """JSON-RPC messages from the server."""

    provider = "mcp"

    def __init__(self) -> None:
        super().__init__()
        self._items = 0

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """JSON-RPC 2.0."""
        del name
        return event.get("jsonrpc") == "2.0"

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One message."""
        if not self.knows(name, event):
            return
        self.out.start()
        if "error" in event:
            code = event["error"].get("code", "no code given")
            self.out.error(f"JSON-RPC error {listed(code)}")
            self.out.finish(Finish.ERROR)
        elif "result" in event:
            result = event["result"]
            for text in _texts(result):
                self.out.text(text, _TEXT, 0, self._items)
                self._items += 1
            if result.get("isError"):
                self.out.error("a tool reports that it failed")
            self.out.finish(Finish.STOP)

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._items = 0
        self.out.end()


def _texts(result: dict[str, Any]) -> Iterator[str]:
    """The texts of a result: ``content`` of a tool, ``contents`` of a resource, ``messages`` of a prompt."""
    blocks = [*(result.get("content") or ()), *(result.get("contents") or ())]
    blocks += [message["content"] for message in result.get("messages") or ()]
    for block in blocks:
        text = (block.get("resource") or block).get("text")
        if isinstance(text, str) and text:
            yield text
