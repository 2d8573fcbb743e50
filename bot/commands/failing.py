"""How a command says that it could not be tried. What is not here: anything that takes long to import."""

from __future__ import annotations


class CommandFault(Exception):
    """The command could not be tried: sentences for stderr, exit code 2, never a traceback."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
