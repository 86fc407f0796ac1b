"""The one exception for what a person can put right."""


class UserError(ValueError):
    """A mistake in a command, a configuration, or the files given.

    The message is a sentence for the person at the prompt: what was wrong, the bad value, the
    allowed ones, what to do. ``launch.py`` prints it without a traceback.
    """
