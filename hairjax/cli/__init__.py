"""The command line: a table of verbs and flags, and a function for each verb.

What runs is imported once a command is understood: JAX, scikit-learn, matplotlib and orbax take
seconds to start, and a mistyped flag is answered without them.
"""
