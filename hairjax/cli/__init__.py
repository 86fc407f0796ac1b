"""The verbs of ``launch.py``: each reads its flags, refuses what cannot work, and then runs.

They import what they run only when a command is understood: JAX, scikit-learn, matplotlib and orbax
take seconds to start, and a mistyped flag is answered without them.
"""
