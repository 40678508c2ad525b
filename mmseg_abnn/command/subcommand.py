"""What a subcommand is."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..parsers import CommandParser
from ..startup import import_everything


@dataclass(frozen=True)
class Subcommand:
    """A part of the command that does one thing.

    Attributes:
        name: As it is called.
        description: What it does; the first line is its summary.
        add_arguments: Adds its arguments to a parser.
        run: Does the work; it imports what it needs.
        needs_import: Whether the whole package has to be imported before.
    """

    name: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]
    needs_import: bool = True

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.description.partition('\n')[0]

    def main(self, arguments: Sequence[str], prog: str) -> None:
        """Read a command line and do what it says.

        Args:
            arguments: The command line.
            prog: The program's name in its help.
        """
        parser = CommandParser(prog=prog, description=self.description)
        self.add_arguments(parser)
        args = parser.parse_args(arguments)
        if self.needs_import:
            import_everything()
        self.run(args)
