"""README is the map: what it names must be there, and what is there must be named."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from connectors import decoders
from flows.settings import Settings
from tests.conftest import ROOT

README = ROOT.joinpath("README.md").read_text(encoding="utf-8")


def test_readme_has_exactly_two_commands_that_install() -> None:
    commands = [line.strip() for line in README.splitlines() if "pip install" in line]
    assert len(commands) == 2
    assert commands[0].endswith("midstream run")
    assert commands[1].endswith("pytest")


def test_readme_names_every_setting() -> None:
    def keys(model: type[BaseModel]) -> list[str]:
        return [
            key
            for name, known in model.model_fields.items()
            for key in (
                keys(known.annotation)
                if isinstance(known.annotation, type) and issubclass(known.annotation, BaseModel)
                else [name]
            )
        ]

    missing = [key for key in keys(Settings) if not re.search(rf"\b{key}\b", README)]
    assert not missing


@pytest.mark.parametrize("dialect", sorted(decoders._DIALECTS))
def test_readme_names_every_dialect(dialect: str) -> None:
    assert f"`{dialect}`" in README


def test_every_file_that_readme_names_exists() -> None:
    paths = re.findall(r"`((?:connectors|operators|flows|benches|tests)/[\w/.*]+\.\w+)`", README)
    assert len(paths) > 10
    assert not [path for path in paths if not list(ROOT.glob(path))]
