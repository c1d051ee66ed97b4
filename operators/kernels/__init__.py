"""How, in numbers: NumPy in, NumPy out, compiled by numba; each file is usable alone.

A kernel imports nothing of ours (numba's cache on disk does not see edits in another file), checks
nothing and raises nothing: its stage validated once, while the flow was built.
"""
