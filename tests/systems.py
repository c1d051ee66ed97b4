"""Dynamical systems with published exponents, and the plain series that must not be taken for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def logistic(n: int, r: float = 4.0, x: float = 0.3123, skip: int = 200) -> Series:
    """``x -> r x (1 - x)``. At r = 4 the exponent is ln 2 a step."""
    out = np.empty(skip + n)
    for i in range(skip + n):
        out[i] = x = r * x * (1.0 - x)
    return out[skip:]


def henon(n: int, skip: int = 200) -> Series:
    """The x of the Henon map, a = 1.4, b = 0.3: 0.419 nats a step."""
    out = np.empty(skip + n)
    x = y = 0.1
    for i in range(skip + n):
        x, y = 1.0 - 1.4 * x * x + y, 0.3 * x
        out[i] = x
    return out[skip:]


def lorenz(n: int, step: float, sigma: float = 10.0, rho: float = 28.0, beta: float = 8 / 3) -> Series:
    """The x of the Lorenz flow, one sample every `step`: 0.906 nats a unit of time."""

    def flow(v: Series) -> Series:
        x, y, z = v
        return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])

    return _integrated(flow, n, step, 0.01, 30.0)


def roessler(n: int, step: float) -> Series:
    """The x of the Roessler flow, a = b = 0.2, c = 5.7: 0.0714 nats a unit of time."""

    def flow(v: Series) -> Series:
        x, y, z = v
        return np.array([-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)])

    return _integrated(flow, n, step, 0.05, 100.0)


def red_noise(n: int, correlation: float, seed: int) -> Series:
    """AR(1): each value is `correlation` times the one before, and white noise."""
    noise = np.random.default_rng(seed).normal(size=n + 200)
    out = np.zeros(n + 200)
    for i in range(1, n + 200):
        out[i] = correlation * out[i - 1] + noise[i]
    return out[200:]


def _integrated(flow: Callable[[Series], Series], n: int, step: float, inner: float, skip: float) -> Series:
    """Runge-Kutta of fourth order in steps of about `inner`, from (1, 1, 1), `skip` thrown away."""
    substeps = max(1, round(step / inner))
    h = step / substeps
    v = np.ones(3)
    first = round(skip / step)
    out = np.empty(first + n)
    for i in range(first + n):
        for _ in range(substeps):
            a = flow(v)
            b = flow(v + h / 2 * a)
            c = flow(v + h / 2 * b)
            v = v + h / 6 * (a + 2 * b + 2 * c + flow(v + h * c))
        out[i] = v[0]
    return out[first:]
