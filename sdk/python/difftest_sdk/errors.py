"""Why there is no score and no prompt.

An error is an error of the run: the case or test it belongs to has no result, and never counts as a failed threshold. Any
other exception that leaves a metric becomes one too, with its type and the line it came from.
"""


class Error(Exception):
    """There is no answer. Raise one of the kinds below where it fits, this one where none does."""


class InvalidConfig(Error):
    """The config passed the schema and still makes no sense. Say which key, and what it may be."""


class UnsupportedInput(Error):
    """There is no answer for this input, such as an image that is too small. Say what would be a good one."""


class ModelNotFound(Error):
    """The suite declares no model of that name."""


class DeclarationError(TypeError):
    """A function, config or module cannot be a plugin as it is written. Raised when it is declared or built, not when it runs."""
