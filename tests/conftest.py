"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: a first call compiles, and the machine is shared. In CI the examples are the same in every
# run, so that a change is judged by what it changes; elsewhere they are drawn anew.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Data nobody here wrote (design, section 9): read where it is there, never copied."""
    path = Path(os.environ.get("MIDSTREAM_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no recorded data at {path}; MIDSTREAM_DATA names another place")
    return path
