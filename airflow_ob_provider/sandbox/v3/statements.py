"""The grammar of ALTER SYSTEM and its relatives: text in, one small command object out, else 1064.

Follows OceanBase 3.1.5 source, ``src/sql/parser/sql_parser_mysql_mode.y``: what that grammar doesn't have (among
others the spellings of version 4) is a syntax error here too.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_ob_provider.sandbox.tokens import Reader

from .profiles import Profile


@dataclass(frozen=True)
class Archivelog:
    start: bool


@dataclass(frozen=True)
class MinorFreeze:
    tenants: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None
    zone: str | None = None
    partition: str | None = None


@dataclass(frozen=True)
class MajorFreeze:
    pass


@dataclass(frozen=True)
class CancelAllBackupForce:
    pass


@dataclass(frozen=True)
class CancelBackup:
    pass


@dataclass(frozen=True)
class BackupDatabase:
    incremental: bool = False


@dataclass(frozen=True)
class BackupTenant:
    tenants: tuple[str, ...]
    destination: str


@dataclass(frozen=True)
class DeleteBackup:
    """``what``: BACKUPSET, BACKUPPIECE or BACKUPROUND."""

    what: str
    key: int


@dataclass(frozen=True)
class DeleteObsolete:
    pass


@dataclass(frozen=True)
class InGrammarOnly:
    """The parser knows the statement, the server refuses it (1235)."""

    what: str


@dataclass(frozen=True)
class SetParameters:
    assignments: tuple[tuple[str, str], ...]
    server: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class SetEncryption:
    """The password itself is of no use to the sandbox and isn't kept."""

    on: bool


@dataclass(frozen=True)
class CreateTenant:
    name: str
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropTenant:
    name: str
    if_exists: bool = False


Command = (
    Archivelog | MinorFreeze | MajorFreeze | CancelAllBackupForce | CancelBackup | BackupDatabase | BackupTenant
    | DeleteBackup | DeleteObsolete | InGrammarOnly | SetParameters | SetEncryption | CreateTenant | DropTenant
)  # fmt: skip


def parse_command(sql: str, profile: Profile) -> Command:
    """The command of an ALTER SYSTEM, SET ENCRYPTION, CREATE TENANT or DROP TENANT statement; 1064 otherwise."""
    return _Parser(sql, profile).command()


class _Parser(Reader):
    def __init__(self, sql: str, profile: Profile) -> None:
        super().__init__(sql)
        self._profile = profile

    # --- statements -----------------------------------------------------------------------------------

    def command(self) -> Command:
        if self._take("ALTER", "SYSTEM"):
            command = self._alter_system()
        elif self._take("SET", "ENCRYPTION"):
            command = self._encryption()
        elif self._take("CREATE", "TENANT"):
            exists = self._take("IF", "NOT", "EXISTS")
            # Resource pools and the like don't matter here.
            return CreateTenant(self._next("word", "quoted").text, exists)
        elif self._take("DROP", "TENANT"):
            exists = self._take("IF", "EXISTS")
            command = DropTenant(self._next("word", "quoted").text, exists)
            self._take("FORCE")
        else:
            raise self._error()
        self._end()
        return command

    def _alter_system(self) -> Command:
        if self._take("ARCHIVELOG"):
            return Archivelog(True)
        if self._take("NOARCHIVELOG"):
            return Archivelog(False)
        if self._take("MINOR", "FREEZE"):
            return self._minor_freeze()
        if self._take("MAJOR", "FREEZE"):
            return MajorFreeze()
        for word, parse in (("CANCEL", self._cancel), ("BACKUP", self._backup), ("DELETE", self._delete)):
            if self._take(word):
                return parse()
        for words in (("SUSPEND", "BACKUP"), ("RESUME", "BACKUP"), ("VALIDATE", "DATABASE")):
            if self._take(*words):
                return InGrammarOnly(" ".join(words).lower())
        if self._take("VALIDATE", "BACKUPSET"):
            self._number()
            return InGrammarOnly("validate backupset")
        return self._set_parameters()

    def _minor_freeze(self) -> MinorFreeze:
        tenants = servers = zone = partition = None
        if self._take("TENANT"):
            self._symbol("=")
            tenants = self._list("string", "word", "quoted")
        elif self._take("PARTITION_ID"):
            self._symbol("=")
            partition = self._next("string").text
        if self._take("SERVER"):
            self._symbol("=")
            servers = self._list("string")
        if self._take("ZONE"):
            self._symbol("=")
            zone = self._next("string", "word").text
        return MinorFreeze(tenants, servers, zone, partition)

    def _list(self, *kinds: str) -> tuple[str, ...]:
        """A list in parentheses, which version 3 demands even for one element."""
        if not self._symbol("("):
            raise self._error()
        items = [self._next(*kinds).text]
        while self._symbol(","):
            items.append(self._next(*kinds).text)
        if not self._symbol(")"):
            raise self._error()
        return tuple(items)

    def _cancel(self) -> Command:
        if self._profile.force_cancel and self._take("ALL", "BACKUP", "FORCE"):
            return CancelAllBackupForce()
        if self._take("BACKUP", "BACKUPSET") or self._take("BACKUP", "BACKUPPIECE"):
            return InGrammarOnly("cancel backup backup")
        if self._take("BACKUP"):
            return CancelBackup()
        if self._take("DELETE", "BACKUP"):
            return InGrammarOnly("cancel delete backup without a running delete")
        if self._take("VALIDATE"):
            self._number()
            return InGrammarOnly("cancel validate")
        raise self._error()

    def _backup(self) -> Command:
        if self._take("DATABASE"):
            return BackupDatabase()
        if self._take("INCREMENTAL", "DATABASE"):
            return BackupDatabase(incremental=True)
        if self._profile.tenant_backup and self._take("TENANT"):
            names = [self._next("word", "quoted").text]
            while self._symbol(","):
                names.append(self._next("word", "quoted").text)
            self._expect("TO")
            return BackupTenant(tuple(names), self._next("string").text)
        raise self._error()

    def _delete(self) -> Command:
        if self._take("OBSOLETE", "BACKUP"):
            return DeleteObsolete()
        if self._take("EXPIRED", "BACKUP"):
            self._copy()
            return InGrammarOnly("delete expired backup")
        for what in ("BACKUPSET", "BACKUPPIECE", "BACKUPROUND"):
            if self._take(what):
                key = self._number()
                self._copy()
                return DeleteBackup(what, key)
        raise self._error()

    def _copy(self) -> None:
        if self._take("COPY"):
            self._number()

    def _set_parameters(self) -> SetParameters:
        self._take("SET")
        assignments: list[tuple[str, str]] = []
        server = zone = None
        while True:
            name = self._next("word", "quoted").text
            if not self._symbol("="):
                raise self._error()
            assignments.append((name, self._constant()))
            if self._take("COMMENT"):
                self._symbol("=")
                self._next("string")
            if self._take("SCOPE"):
                # Accepted and ignored by the server.
                self._symbol("=")
                if not (self._take("MEMORY") or self._take("SPFILE") or self._take("BOTH")):
                    raise self._error()
            if self._take("SERVER"):
                self._symbol("=")
                server = self._next("string").text
            elif self._take("ZONE"):
                self._symbol("=")
                zone = self._next("string", "word").text
            if self._take("TENANT"):
                self._symbol("=")
                self._next("word", "quoted", "string")
            if not self._symbol(","):
                return SetParameters(tuple(assignments), server, zone)

    def _encryption(self) -> SetEncryption:
        if self._take("OFF"):
            return SetEncryption(False)
        self._expect("ON", "IDENTIFIED", "BY")
        self._next("string")
        self._expect("ONLY")
        return SetEncryption(True)
