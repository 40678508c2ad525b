"""The training of one variant with one seed, by tools/train.py in a process of its own."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from comparison.runs import call_tool
from comparison.stamps import make_stamp
from mmseg_abnn.apis.member_files import ENSEMBLE_FILE, member_path, save_ensemble
from mmseg_abnn.apis.stamps import Stamp, is_current, stamped
from mmseg_abnn.checkpoint import BaseNetwork

STAMP_FILE = 'ablation_stamp.json'


@dataclass(frozen=True)
class Training:
    """A training that is ready to run.

    Attributes:
        what: Says in messages what it is.
        base_checkpoint: The network that it starts from.
        work_dir: Where it writes.
        arguments: Of tools/train.py.
        cfg: The config that these arguments give.
    """

    what: str
    base_checkpoint: str
    work_dir: Path
    arguments: tuple[str, ...]
    cfg: Config

    @property
    def ensemble(self) -> Path:
        """What it makes."""
        return self.work_dir / ENSEMBLE_FILE

    def stamp(self) -> Stamp:
        """Describe what its result depends on: not in which words the options say it."""
        return make_stamp((), self.cfg, self.base_checkpoint)


def is_finished(training: Training) -> bool:
    """Tell whether a training was finished before with the same settings."""
    stamp = training.work_dir / STAMP_FILE
    return training.ensemble.is_file() and is_current(stamp, training.stamp())


def carry_out_training(training: Training, tool: Path) -> None:
    """Train in a new process, with its output shown; members that are finished are kept.

    Args:
        training: The training.
        tool: The file tools/train.py.

    Raises:
        RuntimeError: If it fails.
    """
    with stamped(training.work_dir / STAMP_FILE, training.stamp()):
        call_tool(tool, training.arguments, training.what)


def first_members(training: Training, count: int | None) -> Path:
    """Return a checkpoint with the first members of a finished training.

    Args:
        training: The training.
        count: How many members; None: all.
    """
    whole = training.ensemble
    if count is None or count == training.cfg.num_members:
        return whole
    path = whole.with_name(f'{whole.stem}_{count}{whole.suffix}')
    if not path.is_file() or path.stat().st_mtime_ns < whole.stat().st_mtime_ns:
        members = [member_path(str(training.work_dir), member) for member in range(count)]
        save_ensemble(str(path), BaseNetwork.read(training.base_checkpoint), members)
    return path
