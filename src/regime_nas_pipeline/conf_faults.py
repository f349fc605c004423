"""Which file of the configuration a fault lies in, and what is wrong with it."""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io.core import DatasetError
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from regime_nas_pipeline.core.errors import in_one_line

BASE, DEFAULT = "base", "local"
"""Environments that Kedro reads always, and where none is named."""

_READ = ("catalog", "parameters", "credentials", "globals")
_SUFFIXES = {".yml", ".yaml", ".json"}
_DATASET = re.compile(r"(?:for dataset|Dataset|entry) '([^']+)'")
_PARSED = "An exception occurred when parsing config for dataset"
_NEAR = 0.9


@dataclass(frozen=True)
class ConfFolders:
    """Where the configuration of a run lies.

    Attributes:
        root: Folder of all environments.
        env: Environment of the run.
    """

    root: Path
    env: str

    @property
    def environments(self) -> list[str]:
        """Names of all environments; none where the configuration is no folder of this machine."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir())

    def fault(self, error: Exception) -> str | None:
        """Say what is wrong with the configuration, if an error comes from there.

        Args:
            error: What a run ended with, none of the project's own errors.

        Returns:
            A message that names the file; None where the configuration is not to blame.
        """
        unreadable = next(self._unreadable(), None)
        if unreadable is not None:
            return unreadable
        if isinstance(error, OmegaConfBaseException):
            return self._unresolved(error)
        if isinstance(error, KeyError) and "credentials" in str(error):
            return in_one_line(error)
        return self._dataset(error) if isinstance(error, DatasetError) else None

    def _files(self) -> Iterator[Path]:
        """Every file that Kedro reads, those of the run's environment last."""
        for folder in (self.root / BASE, self.root / self.env):
            for path in sorted(folder.rglob("*")):
                parts = path.relative_to(folder).parts
                if path.suffix in _SUFFIXES and any(part.startswith(_READ) for part in parts):
                    yield path

    def _unreadable(self) -> Iterator[str]:
        for path in self._files():
            try:
                content = OmegaConf.load(path)
            except Exception as fault:
                yield f"{from_here(path)}{_fault(fault)}."
            else:
                if not isinstance(content, DictConfig):
                    yield f"{from_here(path)} holds a list; 'name: value' is needed."

    def _unresolved(self, error: OmegaConfBaseException) -> str:
        """What is wrong with a reference such as ``${globals:root}``."""
        key, text = str(error.full_key or ""), str(error).splitlines()[0]
        place = self._stated_in(key.partition(".")[0], holding="${")
        return f"'{key}'{place}: {text.rstrip('.')}."

    def _dataset(self, error: DatasetError) -> str:
        """What is wrong with an entry of the catalog, or with the file behind it."""
        text = in_one_line(DatasetError(str(error).partition("\nHint:")[0]))
        found = _DATASET.search(text)
        if found is None:
            return text
        name = found[1]
        text = text.removeprefix(f"{_PARSED} '{name}': ")
        near = self._nearest_class(name)
        hint = f" Did you mean '{near}'?" if near else ""
        return f"the catalog entry '{name}'{self._stated_in(name)}: {text}{hint}"

    def _stated_in(self, name: str, holding: str = "") -> str:
        """The last file with a key of that name at its left edge, and with that text."""
        key = re.compile(rf"^['\"]?{re.escape(name)}['\"]?\s*:", re.MULTILINE)
        texts = {path: path.read_text("utf-8") for path in self._files()}
        stated = [path for path, text in texts.items() if key.search(text) and holding in text]
        return f" in {from_here(stated[-1])}" if stated else ""

    def _nearest_class(self, name: str) -> str | None:
        """A dataset class near the one that an entry names, where there is none of its name."""
        used: dict[str, str] = {}
        for path in self._files():
            if path.name.startswith("catalog"):
                entries = OmegaConf.to_container(OmegaConf.load(path))
                assert isinstance(entries, dict)  # noqa: S101 - other files were refused before
                used |= {
                    str(key): str(entry["type"])
                    for key, entry in entries.items()
                    if isinstance(entry, dict) and "type" in entry
                }
        stated = used.pop(name, None)
        if stated is None:
            return None
        near = _class_beside(stated) or difflib.get_close_matches(
            stated, used.values(), n=1, cutoff=_NEAR
        )
        return near[0] if near and near[0] != stated else None


def conf_folders(root: Path, env: str | None) -> ConfFolders:
    """The folders of a run as Kedro finds them.

    Args:
        root: Folder of all environments.
        env: Environment asked for; None: that of ``KEDRO_ENV``, or ``local``.
    """
    return ConfFolders(root, env or os.environ.get("KEDRO_ENV") or DEFAULT)


def from_here(path: Path) -> Path:
    """The path as seen from the working directory, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _fault(error: Exception) -> str:
    """Why a file cannot be read: line, column and fault, and where that began which it ends."""
    # What PyYAML knows of a place; its errors share no other trait with the rest.
    mark, began = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        return f" is no YAML file: {in_one_line(error)}"
    problem, context = getattr(error, "problem", ""), getattr(error, "context", None)
    since = f" ({context} from line {began.line + 1} on)" if began and context else ""
    return f", line {mark.line + 1}, column {mark.column + 1}: {problem}{since}"


def _class_beside(stated: str) -> list[str]:
    """The class of the same module with the nearest name; the class itself where it is there."""
    module, _, name = stated.rpartition(".")
    for prefix in ("", "kedro_datasets."):
        try:
            names: list[Any] = dir(importlib.import_module(prefix + module))
        except (ImportError, ValueError):
            continue
        classes = [each for each in names if each.endswith("Dataset")]
        near = difflib.get_close_matches(name, classes, n=1)
        if near:
            return [f"{module}.{near[0]}"]
    return []
