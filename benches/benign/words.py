"""Words that the made texts are made of."""

from __future__ import annotations

__all__ = ["CITIES", "NAMES", "THINGS"]

CITIES = (
    "Oslo", "Porto", "Lyon", "Turin", "Ghent", "Split", "Malmo", "Graz", "Cork", "Bern", "Riga", "Bath",
    "Nice", "Lodz", "Kiel", "Vaasa", "Tartu",
)  # fmt: skip
NAMES = (
    "anna", "boris", "chloe", "david", "emil", "fatima", "george", "hana", "igor", "julia", "karl", "lena",
    "mira", "noah", "olga", "pavel",
)  # fmt: skip
THINGS = (
    "lamp", "chair", "kettle", "ladder", "pillow", "bucket", "mirror", "carpet", "candle", "basket",
    "hammer", "needle", "bottle", "towel",
)  # fmt: skip
