"""Mode and compression of log backup: what is set, what is wanted and, on 3.x, the way between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_ob_provider.oceanbase.destination import Keys


class ArchiveMode(StrEnum):
    """Who wins when archiving cannot keep up with the writes."""

    OPTIONAL = "optional"
    """User traffic first: logs may be recycled before they are archived, and the stream breaks."""
    MANDATORY = "mandatory"
    """Log backup first: logs wait to be archived, and user writes may block."""


class Compression(StrEnum):
    """How archived logs are compressed; ``enable`` is lz4_1.0."""

    DISABLE = "disable"
    LZ4 = "lz4_1.0"
    ZSTD = "zstd_1.3.8"


KEEP = "keep"
MODES = (*ArchiveMode, KEEP)
LAG_TARGET_RANGE = (0, 7200)
CONCURRENCY_RANGE = (0, 100)
COMPRESSIONS = (Compression.DISABLE, "enable", Compression.LZ4, Compression.ZSTD, KEEP)


@dataclass(frozen=True)
class ArchiveOption:
    """Value of ``backup_log_archive_option``; None where the stored text does not say.

    The server stores the text as it was typed, and only the attributes named in it change in memory; what an
    unnamed attribute is then cannot be read back, and a restart resets it (OceanBase 3.1.5 source,
    ob_config.cpp and ob_config_helper.cpp). So this library always sends both.
    """

    mode: ArchiveMode | None
    compression: Compression | None

    @classmethod
    def parse(cls, text: str) -> ArchiveOption:
        """Read a stored option. Tokens are split by blanks, '=' may touch its neighbours, the last one wins."""
        mode: ArchiveMode | None = None
        compression: Compression | None = None
        words = text.replace("=", " = ").lower().split()
        while words:
            word = words.pop(0)
            if word in tuple(ArchiveMode):
                mode = ArchiveMode(word)
            elif word == "compression" and len(words) > 1 and words[0] == "=":
                compression = _compression(words[1])
                del words[:2]
        return cls(mode, compression)

    @property
    def text(self) -> str:
        """The text to send, both attributes named."""
        if self.mode is None or self.compression is None:
            raise ValueError("an archive option is sent with both mode and compression")
        return f"{self.mode} compression= {self.compression}"

    def __str__(self) -> str:
        return f"{self.mode or 'mode not stated'}, compression {self.compression or 'not stated'}"


@dataclass(frozen=True)
class WantedOption:
    """What the user asks for; None keeps what is set."""

    mode: ArchiveMode | None = None
    compression: Compression | None = None
    lag_target: int | None = None
    """4.2+: ``archive_lag_target`` in seconds."""
    concurrency: int | None = None
    """4.1+: ``log_archive_concurrency``."""
    keys: Keys | None = None
    """4.x: keys of the object store, because the mode is written together with the destination."""

    @classmethod
    def check(
        cls, mode: object = KEEP, compression: object = KEEP, lag_target: object = None, concurrency: object = None
    ) -> WantedOption:
        """Check the words a user gave.

        :raises ValueError: not one of :data:`MODES` or :data:`COMPRESSIONS`, or a number out of range.
        """
        mode_word = _word(mode, MODES, "mode")
        compression_word = _word(compression, COMPRESSIONS, "compression")
        return cls(
            None if mode_word == KEEP else ArchiveMode(mode_word),
            None if compression_word == KEEP else _compression(compression_word),
            _whole(lag_target, "lag_target", *LAG_TARGET_RANGE, unit="seconds"),
            _whole(concurrency, "concurrency", *CONCURRENCY_RANGE),
        )

    def with_keys(self, keys: Keys | None) -> WantedOption:
        """The same wish, with the keys of the object store."""
        return replace(self, keys=keys)

    def differs_from(self, current: ArchiveOption) -> bool:
        """Whether something has to be written."""
        return (self.mode is not None and self.mode is not current.mode) or (
            self.compression is not None and self.compression is not current.compression
        )


def plan_option(current: ArchiveOption, wanted: WantedOption, *, round_runs: bool) -> tuple[ArchiveOption, ...]:
    """The options to set, in order, to get from ``current`` to ``wanted``; nothing if it is there already.

    Mandatory with compression to be switched off is the one detour: the manuals of 3.1.2 - 3.1.5 and 3.2.4 allow
    switching compression off in Mandatory mode only by ``'optional compression= disable'``, and Mandatory without
    compression only from Optional. Passing through Optional lets logs be recycled unarchived for a moment, so it
    is done only while no round runs.

    :raises ValueError: the wish cannot be met from here; the text names the way out.
    """
    if not wanted.differs_from(current):
        return ()
    target = ArchiveOption(wanted.mode or current.mode, wanted.compression or current.compression)
    for name, value, words in (
        ("mode", target.mode, MODES),
        ("compression", target.compression, COMPRESSIONS),
    ):
        if value is None:
            raise ValueError(
                f"{name}='{KEEP}' cannot be met: the option now set ({current}) does not state its {name}, and "
                f"both are always sent together. Give one of {', '.join(w for w in words if w != KEEP)}"
            )
    detour = (
        current.mode is ArchiveMode.MANDATORY
        and target.mode is ArchiveMode.MANDATORY
        and target.compression is Compression.DISABLE
    )
    if not detour:
        return (target,)
    if wanted.mode is None:
        raise ValueError(
            "compression='disable' is reached from mandatory only by way of optional; if that were interrupted, "
            f"mode='{KEEP}' would keep optional. Say which mode is wanted: mandatory or optional"
        )
    if round_runs:
        raise ValueError(
            "mode='mandatory' with compression='disable' cannot be reached from mandatory while log backup runs: "
            "OceanBase's manual allows it only by way of optional, where logs may be recycled before they are "
            "archived and the stream breaks. Keep the compression, or set mode='optional' and "
            "compression='disable', or do it while log backup is stopped"
        )
    return (ArchiveOption(ArchiveMode.OPTIONAL, Compression.DISABLE), target)


def _compression(word: str) -> Compression | None:
    if word == "enable":
        return Compression.LZ4
    return Compression(word) if word in tuple(Compression) else None


def _word(value: object, words: tuple[str, ...], name: str) -> str:
    word = value.strip().lower() if isinstance(value, str) else value
    if not isinstance(word, str) or word not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}; not {value!r}")
    return word


def _whole(value: object, name: str, least: int, most: int, *, unit: str = "") -> int | None:
    """A whole number in a range; None and '' mean not given. Rendered templates arrive as text."""
    text = "" if value is None else str(value).strip()
    if text in {"", "None"}:
        return None
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        kind = f"a whole number of {unit}" if unit else "a whole number"
        raise ValueError(f"{name} must be {kind} from {least} to {most}, not {value!r}")
    return int(text)
