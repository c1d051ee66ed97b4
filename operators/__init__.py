"""What is computed. Stages: packet in, packet out; no I/O, no clock, no sibling imports.

``packet`` is the vocabulary, ``columns`` the state of a stage, ``automaton`` what the gate's rules become,
``slots`` the one door to Bytewax.
Nothing is imported here, so that a kernel can be used without the rest.
"""
