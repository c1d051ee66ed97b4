"""The fixture `mock`. A test file loads this with ``pytest_plugins``; nobody imports it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mock import Mock, running


@pytest.fixture
def mock() -> Iterator[Mock]:
    """A provider with default settings, for one test."""
    with running() as started:
        yield started
