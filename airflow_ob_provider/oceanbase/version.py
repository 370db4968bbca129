"""Which OceanBase this is, and what that version can do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_COMMENT = re.compile(r"^OceanBase(?P<ce>[_ ]CE)? (?P<numbers>\d+(?:\.\d+){2,3})")
_TAGGED = re.compile(r"OceanBase(?P<ce>[_ ]CE)?-v(?P<numbers>\d+(?:\.\d+){2,3})")
_PLAIN = re.compile(r"^(?P<numbers>\d+(?:\.\d+){2,3})-OceanBase(?P<ce> CE)?")


@dataclass(frozen=True, order=True)
class OceanBaseVersion:
    """Version numbers of a server, three or four of them, the missing fourth being 0.

    ``@@version_comment`` is the one answer of the same form in every version: ``OceanBase 3.1.4 (r…) (Built …)``,
    ``OceanBase_CE 4.3.0.1 (r…) (Built …)`` (observer source, ob_system_variable.cpp). ``version()`` differs by
    edition: ``3.1.5-OceanBase CE``, ``5.7.25-OceanBase-v3.2.4.3``, ``5.7.25-OceanBase_CE-v4.2.0.0``.
    """

    numbers: tuple[int, int, int, int]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, answer: str) -> OceanBaseVersion:
        """Read the answer of ``SELECT @@version_comment`` or ``SELECT version()``.

        :raises ValueError: the answer is not OceanBase's.
        """
        for pattern in (_COMMENT, _TAGGED, _PLAIN):
            match = pattern.search(answer)
            if match:
                found = [int(number) for number in match["numbers"].split(".")]
                numbers = (*found, 0)[:4]
                return cls((numbers[0], numbers[1], numbers[2], numbers[3]), match["numbers"])
        raise ValueError(f"not an OceanBase server: it calls itself {answer!r}")

    def __str__(self) -> str:
        return self.text

    def at_least(self, *numbers: int) -> bool:
        """Whether this version is ``numbers`` (major, minor, …) or newer."""
        return self.numbers[: len(numbers)] >= numbers

    @property
    def major(self) -> int:
        """The first number: 3.x archives a cluster, 4.x a tenant."""
        return self.numbers[0]

    @property
    def is_community(self) -> bool:
        """Whether it is a Community Edition of 3.x: 3.1 exists as such only, and enterprise 3.2 has four numbers."""
        return self.numbers[:2] == (3, 1)

    @property
    def archive_unusable(self) -> str | None:
        """Why log archive cannot work on this version, or None.

        CE 3.1.0 answers 4114 to ARCHIVELOG and has no pieces (oceanbase/oceanbase#281); the views and pieces
        came with 2.2.77 and 3.1.1.
        """
        if self.numbers[:3] == (3, 1, 0):
            return (
                "OceanBase 3.1.0 has no usable log archive (ARCHIVELOG answers 4114 'In STOP state'); "
                "upgrade to 3.1.2 or later"
            )
        if not self.at_least(2, 2, 77):
            return f"OceanBase {self} is older than 2.2.77, the first with archive pieces; upgrade first"
        return None

    @property
    def has_log_mode(self) -> bool:
        """4.1+: ARCHIVELOG switches a mode, a scheduler starts the round; LOG_ARCHIVE_DEST_STATE can suspend it."""
        return self.at_least(4, 1)

    @property
    def has_lag_target(self) -> bool:
        """``archive_lag_target`` came with 4.2.0."""
        return self.at_least(4, 2)

    @property
    def has_all_user(self) -> bool:
        """``TENANT = all_user`` came with 4.2.1; before, ``all`` means the same."""
        return self.at_least(4, 2, 1)

    @property
    def forces_stop(self) -> bool:
        """From 4.2.3 on (4.3: from 4.3.3, by the manual) STOPPING is ended after 10 minutes if the medium is dead."""
        return self.at_least(4, 3, 3) or (self.numbers[:2] == (4, 2) and self.at_least(4, 2, 3))

    @property
    def has_force_cancel(self) -> bool:
        """``CANCEL ALL BACKUP FORCE`` exists from 3.1.3 on (1064 on 3.1.2); not known for 2.2.77."""
        return self.at_least(3, 1, 3)
