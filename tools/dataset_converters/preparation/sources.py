"""What a benchmark is prepared from: folders and archives, read alike."""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mmseg_abnn.messages import located

_TAR = ('.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tar.xz')
_ZIP = ('.zip',)
_CHUNK = 1 << 20
# not in the type stubs
_InvalidHeader: type[Exception] = tarfile.InvalidHeaderError  # type: ignore[attr-defined]
_TruncatedHeader: type[Exception] = tarfile.TruncatedHeaderError  # type: ignore[attr-defined]
_EmptyHeader: type[Exception] = tarfile.EmptyHeaderError  # type: ignore[attr-defined]
_NO_FILE = 'is a link, a folder or something else that is no regular file'
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # what zipfile raises for a password
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True)
class Member:
    """What a source holds.

    Attributes:
        path: Its path as the source spells it.
        size: Its size in bytes, unpacked.
        problem: Why it cannot be taken, or None.
    """

    path: str
    size: int
    problem: str | None = None


class Source(ABC):
    """A folder or an archive.

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def members(self) -> Iterator[Member]:
        """List what there is.

        Raises:
            ValueError: If an archive cannot be read to its end.
        """

    @abstractmethod
    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Read some of the files, in the order they lie in.

        Args:
            wanted: Paths, spelled as in ``members``.

        Yields:
            Path and content, in pieces; each content has to be read before the next is asked for.

        Raises:
            ValueError: If a file cannot be read.
        """

    def original(self, path: str) -> Path | None:
        """Return where a file lies on disk, or None if it is packed."""
        return None


class Folder(Source):
    """A folder with everything below it, except one folder.

    Args:
        path: Where it lies.
        without: A folder that is left out.
    """

    def __init__(self, path: Path, without: Path | None = None) -> None:
        super().__init__(path)
        self.without = None if without is None else without.resolve()

    def members(self) -> Iterator[Member]:
        """List the files; links to files and folders are followed."""
        walked = {self.without}
        for folder, below, names in os.walk(self.path, onerror=_give_up, followlinks=True):
            below.sort()
            resolved = Path(folder).resolve()
            if resolved in walked:  # each folder once, whatever links to it
                below.clear()
                continue
            walked.add(resolved)
            for name in sorted(names):
                file = Path(folder, name)
                status = file.stat() if file.exists() else file.lstat()
                problem = None if stat.S_ISREG(status.st_mode) else _NO_FILE
                yield Member(file.relative_to(self.path).as_posix(), status.st_size, problem)

    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Read some of the files."""
        for path in sorted(wanted):
            with _damage_named(self.path), (self.path / path).open('rb') as file:
                yield path, _pieces(file, self.path)

    def original(self, path: str) -> Path:
        """Return where a file lies on disk."""
        return self.path / path


class TarArchive(Source):
    """A tar archive, compressed or not; it is only read forwards."""

    def members(self) -> Iterator[Member]:
        """List all there is, folders and links too."""
        with _damage_named(self.path), self._open() as archive:
            for info in archive:
                yield Member(info.name, info.size, None if info.isfile() else _NO_FILE)
            # the checksum of compressed data stands at their very end
            while archive.fileobj is not None and archive.fileobj.read(_CHUNK):
                pass

    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Read some of the files."""
        left = set(wanted)
        with _damage_named(self.path), self._open() as archive:
            for info in archive:
                if not left:
                    return
                file = archive.extractfile(info) if info.name in left else None
                if file is not None:
                    left.discard(info.name)
                    yield info.name, _pieces(file, self.path)

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(self.path, tarinfo=_StrictTarInfo)


class _StrictTarInfo(tarfile.TarInfo):
    """A header that raises ReadError where tarfile takes a broken or missing one for the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _StrictTarInfo:
        try:
            return super().fromtarfile(tarfile_)
        except (_InvalidHeader, _TruncatedHeader) as error:
            raise tarfile.ReadError(str(error)) from error
        except _EmptyHeader as error:
            raise tarfile.ReadError('it ends without the mark that ends a tar') from error


class ZipArchive(Source):
    """A zip archive."""

    def members(self) -> Iterator[Member]:
        """List all there is, folders and links too."""
        with _damage_named(self.path), zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                yield Member(info.filename, info.file_size, _zip_problem(info))

    def contents(self, wanted: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Read some of the files."""
        with _damage_named(self.path), zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                if info.filename in wanted:
                    with archive.open(info) as file:
                        yield info.filename, _pieces(file, self.path)


def find_sources(paths: Iterable[Path], without: Path) -> list[Source]:
    """Make a source of each path, and of the archives that lie directly in a folder.

    Args:
        paths: Archives and folders; what is named twice counts once.
        without: A folder that is no part of any source.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If it is neither a folder nor an archive of a known kind.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        if path.is_dir():
            found.setdefault(path.resolve(), Folder(path, without))
            for file in sorted(path.iterdir()):
                if file.is_file() and _is_archive(file) and not file.name.startswith('.'):
                    found.setdefault(file.resolve(), _open_archive(file))
        elif not path.exists():
            raise FileNotFoundError(f'the source {located(path)} does not exist')
        elif path.is_file() and _is_archive(path):
            found.setdefault(path.resolve(), _open_archive(path))
        else:
            known = ', '.join((*_TAR, *_ZIP))
            raise ValueError(f'the source {path} is neither a folder nor an archive ({known})')
    return list(found.values())


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith((*_TAR, *_ZIP))


def _open_archive(path: Path) -> Source:
    return ZipArchive(path) if path.name.lower().endswith(_ZIP) else TarArchive(path)


def _give_up(error: OSError) -> None:
    raise error


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive says nothing of it
    if info.is_dir() or kind not in (0, stat.S_IFREG):
        return _NO_FILE
    return 'is encrypted' if info.flag_bits & 1 else None


def _pieces(file: IO[bytes] | Any, path: Path) -> Iterator[bytes]:
    with _damage_named(path):
        while piece := file.read(_CHUNK):
            yield piece


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f'{path} is damaged, cut off or not readable: {error}') from error
