"""How kernels are compiled: what Python calls (`kernel`), what only kernels call (`inner`), and the few that
take memory of their own (`allocating`).

Strategy. Without numba's runtime nothing can be allocated, and no array is counted: each view of an array
and each array handed to another function would otherwise cost two locked instructions, which was half of
the time that `match.advance` took for a short delta. And whoever starts the job for the first time waits for
the compiler, so nothing is compiled that nobody uses: no function here is called from C, and those that only
kernels call have no wrapper for Python either (called from there they are a null pointer).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

__all__ = ["allocating", "inner", "kernel", "was_compiled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_njit: Any = njit
"""numba takes options that its types do not know."""


def kernel(function: _Function) -> _Function:
    """Compile what Python calls, when it is first called, and keep it on disk where that can be written."""
    return _kept(function, _nrt=False)


def inner(function: _Function) -> _Function:
    """Compile what only kernels call: it is kept as a part of those."""
    options = {"nogil": True, "no_cfunc_wrapper": True, "no_cpython_wrapper": True, "_nrt": False}
    compiled: _Function = _njit(**options)(function)
    return compiled


def allocating(function: _Function) -> _Function:
    """As :func:`kernel`, for a function that makes arrays, or calls one that does."""
    return _kept(function)


def _kept(function: _Function, **more: bool) -> _Function:
    options = {"nogil": True, "no_cfunc_wrapper": True, **more}
    try:
        compiled: _Function = _njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that can be written to: compiled anew at every start
        compiled = _njit(**options)(function)
    return compiled


def was_compiled(function: Callable[..., Any]) -> bool:
    """Whether a kernel that was called had to be compiled, and is on disk from now on."""
    stats = getattr(function, "stats", None)  # without the JIT there is none
    return stats is not None and bool(stats.cache_misses and stats.cache_path)
