"""Patterns are refused by name."""

from __future__ import annotations

import pytest

from operators.patterns import Pattern


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"values": (1.0,)}, "2 to 4096 values"),
        ({"values": (0.0, 1.0) * 2049}, "2 to 4096 values"),
        ({"values": (0.0, float("nan"))}, "finite"),
        ({"signal": 256}, "signal"),
        ({"within": -0.1}, "within"),
        ({"within": float("inf")}, "within"),
        ({"radius": 1}, "no radius unless"),
        ({"radius": -2}, "radius"),
        ({"values": (0.1, 0.1, 0.1), "normalised": True}, "vary"),
    ],
)
def test_a_wrong_pattern_is_refused_by_name(change: dict[str, object], what: str) -> None:
    fields: dict[str, object] = {"name": "odd", "signal": 0, "values": (1.0, 2.0), "within": 0.1, "code": 0}
    Pattern(**fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"'odd' must have .*{what}"):
        Pattern(**{**fields, **change})  # type: ignore[arg-type]
