"""JSON text out of values that come one path at a time: Google's streamed function arguments.

With ``streamFunctionCallArguments`` a call's arguments arrive as ``{"jsonPath": "$.a.b[0]",
"stringValue": "Lo"}``, a string in several pieces. They come in document order, so the JSON text of the
whole can be written while they arrive and nothing waits for the end of the call: the containers on the
way to the last path stay open, the next path closes those it leaves and opens those it enters.

A path that goes back into a container already closed cannot be appended to text already said; that is
refused, and the caller says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from connectors._untrusted import compact

__all__ = ["PathWriter"]

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_ESCAPE = re.compile(r"\\(.)")

Step = str | int
"""A member's name or an element's index."""


@dataclass(slots=True)
class _Level:
    """An open container: an array counts its elements, an object remembers its names."""

    array: bool
    names: set[Step] = field(default_factory=set)

    def enter(self, step: Step) -> str:
        """The text before the value at `step`."""
        if self.array != isinstance(step, int) or step in self.names:
            msg = "a path goes back into what was closed"
            raise ValueError(msg)
        if self.array and step != len(self.names):
            msg = "an array element is missing"
            raise ValueError(msg)
        comma = "," if self.names else ""
        self.names.add(step)
        return comma if self.array else f"{comma}{compact(step)}:"


class PathWriter:
    """Writes one JSON object. After a ``ValueError`` it must not be used again.

    >>> writer = PathWriter()
    >>> said = [writer.write("$.who[0].name", "A", more=True), writer.write("$.who[0].name", "da")]
    >>> said.append(writer.write("$.n", 2)), said.append(writer.close())
    (None, None)
    >>> said
    ['{"who":[{"name":"A', 'da"', '}],"n":2', '}']
    """

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._path: list[Step] = []  # the step from each level to the one inside it
        self._string: list[Step] = []  # where a string is still open

    def write(self, path: str, value: object, *, more: bool = False) -> str:
        """The text that `value` at `path` adds; with `more` a string stays open for its next piece.

        :raises ValueError: If `path` is not a JSONPath of names and indices, or cannot follow the last.
        """
        steps = _steps(path)
        piece = compact(value)
        if isinstance(value, str):
            piece = piece[1:-1]
            if steps == self._string:
                if not more:
                    self._string = []
                return piece if more else f'{piece}"'
            piece = f'"{piece}' if more else f'"{piece}"'
        said = self._leave(steps)
        for place, step in enumerate(steps[len(self._path) :], len(self._path) + 1):
            said.append(self._levels[-1].enter(step))
            if place < len(steps):
                self._path.append(step)
                said.append(self._enter(array=isinstance(steps[place], int)))
        said.append(piece)
        if more and isinstance(value, str):
            self._string = steps
        return "".join(said)

    def close(self) -> str:
        """The text that completes the object."""
        said = ['"'] if self._string else []
        said.extend("]" if level.array else "}" for level in reversed(self._levels))
        self._levels, self._path, self._string = [], [], []
        return "".join(said) or "{}"

    def _leave(self, steps: list[Step]) -> list[str]:
        """Close what does not lead to `steps`."""
        if not self._levels:
            return [self._enter(array=isinstance(steps[0], int))]
        said = ['"'] if self._string else []
        self._string = []
        shared = 0
        for old, new in zip(self._path, steps[:-1], strict=False):
            if old != new:
                break
            shared += 1
        while len(self._path) > shared:
            self._path.pop()
            said.append("]" if self._levels.pop().array else "}")
        return said

    def _enter(self, *, array: bool) -> str:
        self._levels.append(_Level(array))
        return "[" if array else "{"


def _steps(path: str) -> list[Step]:
    steps: list[Step] = []
    at = 1
    while at < len(path) and (step := _STEP.match(path, at)):
        name, index, single, double = step.groups()
        quoted = single if single is not None else double
        if index is not None:
            steps.append(int(index))
        else:
            steps.append(name if name is not None else _ESCAPE.sub(r"\1", quoted))
        at = step.end()
    if not steps or path[0] != "$" or at != len(path):
        msg = "not a JSONPath of names and indices"
        raise ValueError(msg)
    return steps
