"""How fast, against what, measured how: see README.md in this folder."""
