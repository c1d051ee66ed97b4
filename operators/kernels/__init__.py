"""How, in numbers: NumPy in, NumPy out, compiled by numba; each file is usable alone.

A kernel imports nothing of ours but how it is compiled: numba's cache on disk does not see edits in another
file. `match` is built on `lazy` all the same, and says on which; after an edit of `_jit` empty the cache
(``__pycache__/*.nb?``). A kernel checks nothing and raises nothing: its stage validated once, while the flow
was built.

LLVM's second level of optimisation takes an eighth less time than numba's usual third (an empty cache and
``NUMBA_OPT=3 python -m operators.kernels``), and the kernels are as fast (``benches.bench_gate``). Who sets
NUMBA_OPT, or has imported numba before, has it otherwise.
"""

import os

os.environ.setdefault("NUMBA_OPT", "2")
