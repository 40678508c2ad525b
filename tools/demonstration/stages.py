"""Running the tools one after the other, as the demos do."""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence


class Stages:
    """Runs commands with their output shown, and notes how long each took.

    Attributes:
        seconds: Of each stage, by its title.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, title: str, command: Sequence[str]) -> None:
        """Run a Python script with its arguments.

        Raises:
            subprocess.CalledProcessError: If it fails.
        """
        print(f'\n=== {title}\n$ python {shlex.join(command)}', flush=True)
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True)
        self.seconds[title] = time.perf_counter() - start

    def summary(self) -> str:
        """Return the seconds of all stages as text."""
        lines = [f'  {value:6.0f}  {title}' for title, value in self.seconds.items()]
        return '\n'.join(['Seconds:', *lines, f'  {sum(self.seconds.values()):6.0f}  together'])
