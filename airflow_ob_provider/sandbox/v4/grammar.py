"""The grammar of ALTER SYSTEM and its relatives in 4.x: text in, one command object out, else 1064.

Follows kernel source, ``sql/parser/sql_parser_mysql_mode.y``. A tenant's name may be bare, in backticks or a string,
the ``=`` before it may be missing, and a list of names has no parentheses (3.x demands them: 1064 here).
"""

from __future__ import annotations

from airflow_ob_provider.sandbox.tokens import Reader

from . import statements as st

_NAMES = ("word", "quoted", "string")


def parse_command(sql: str) -> st.Command:
    """The command of an ALTER SYSTEM, SET ENCRYPTION, CREATE TENANT or DROP TENANT statement; 1064 otherwise."""
    return _Parser(sql).command()


class _Parser(Reader):
    def command(self) -> st.Command:
        if self._take("ALTER", "SYSTEM"):
            command = self._alter_system()
        elif self._take("SET", "ENCRYPTION"):
            command = self._encryption()
        elif self._take("CREATE", "TENANT"):
            exists = self._take("IF", "NOT", "EXISTS")
            # Resource pools and the like don't matter here.
            return st.CreateTenant(self._next("word", "quoted").text, exists)
        elif self._take("DROP", "TENANT"):
            exists = self._take("IF", "EXISTS")
            command = st.DropTenant(self._next("word", "quoted").text, exists)
            self._take("FORCE")
        else:
            raise self._error()
        self._end()
        return command

    def _alter_system(self) -> st.Command:
        for word, start in (("ARCHIVELOG", True), ("NOARCHIVELOG", False)):
            if self._take(word):
                tenants = self._tenants()
                self._description()
                return st.Archivelog(start, tenants)
        if self._take("MINOR", "FREEZE"):
            return self._minor_freeze()
        if self._take("MAJOR", "FREEZE"):
            self._tenants()
            return st.MajorFreeze()
        if self._take("ADD", "DELETE", "BACKUP", "POLICY"):
            return self._add_policy()
        if self._take("DROP", "DELETE", "BACKUP", "POLICY"):
            self._symbol("=")
            return st.Policy(False, self._next("string").text, self._tenants())
        for word, parse in (("BACKUP", self._backup), ("CANCEL", self._cancel), ("DELETE", self._delete)):
            if self._take(word):
                return parse()
        for words in (
            ("SUSPEND", "BACKUP"), ("RESUME", "BACKUP"), ("START", "BACKUP", "ARCHIVELOG"),
            ("STOP", "BACKUP", "ARCHIVELOG"), ("VALIDATE", "DATABASE"),
        ):  # fmt: skip
            if self._take(*words):
                return st.InGrammarOnly()
        return self._set_system()

    # --- clauses ----------------------------------------------------------------------------------------

    def _name(self) -> str:
        return self._next(*_NAMES).text

    def _list(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._symbol(","):
            names.append(self._name())
        return tuple(names)

    def _tenants(self) -> st.Names:
        if not self._take("TENANT"):
            return None
        self._symbol("=")
        return self._list()

    def _description(self) -> str:
        if not self._take("DESCRIPTION"):
            return ""
        self._symbol("=")
        return self._next("string").text

    # --- statements -------------------------------------------------------------------------------------

    def _minor_freeze(self) -> st.MinorFreeze:
        tenants = self._tenants()
        servers = zone = None
        part = False
        for word in ("LS", "TABLET_ID"):
            if self._take(word):
                self._symbol("=")
                self._number()
                part = True
        if self._take("SERVER"):
            self._symbol("=")
            if not self._symbol("("):
                raise self._error()
            addresses = [self._next("string").text]
            while self._symbol(","):
                addresses.append(self._next("string").text)
            if not self._symbol(")"):
                raise self._error()
            servers = tuple(addresses)
        if self._take("ZONE"):
            self._symbol("=")
            zone = self._name()
        return st.MinorFreeze(tenants, servers, zone, part)

    def _add_policy(self) -> st.Policy:
        self._symbol("=")
        name = self._next("string").text
        window = redundancy = None
        if self._take("RECOVERY_WINDOW"):
            self._symbol("=")
            window = self._next("string").text
        if self._take("REDUNDANCY"):
            self._symbol("=")
            redundancy = self._number()
        return st.Policy(True, name, self._tenants(), window, redundancy)

    def _backup(self) -> st.Command:
        for what in ("BACKUPSET", "BACKUPPIECE"):
            if self._take(what):
                # What follows is of no interest: the statement is refused anyway.
                self._at = len(self._tokens)
                return st.InGrammarOnly()
        incremental = self._take("INCREMENTAL")
        tenants = self._tenants()
        if tenants is None:
            self._expect("DATABASE")
        destination = self._next("string").text if self._take("TO") else None
        plus = self._take("PLUS", "ARCHIVELOG")
        return st.Backup(incremental, plus, tenants, self._description(), destination)

    def _cancel(self) -> st.Command:
        if self._take("ALL", "BACKUP", "FORCE"):
            return st.InGrammarOnly()
        if self._take("DELETE", "BACKUP"):
            return st.CancelDelete(self._tenants())
        self._expect("BACKUP")
        return st.CancelBackup(self._tenants())

    def _delete(self) -> st.Command:
        if self._take("OBSOLETE", "BACKUP"):
            return st.DeleteBackup("OBSOLETE", 0, self._tenants())
        for what in ("BACKUPSET", "BACKUPPIECE"):
            if self._take(what):
                return st.DeleteBackup(what, self._number(), self._tenants())
        raise self._error()

    def _set_system(self) -> st.SetSystem:
        self._take("SET")
        assignments = []
        while True:
            name = self._next("word", "quoted").text
            if not self._symbol("="):
                raise self._error()
            value = self._constant()
            if self._take("COMMENT"):
                self._symbol("=")
                self._next("string")
            if self._take("SCOPE"):
                self._symbol("=")
                if not (self._take("MEMORY") or self._take("SPFILE") or self._take("BOTH")):
                    raise self._error()
            server = zone = tenant = None
            if self._take("SERVER"):
                self._symbol("=")
                server = self._next("string").text
            elif self._take("ZONE"):
                self._symbol("=")
                zone = self._name()
            if self._take("TENANT"):
                self._symbol("=")
                tenant = self._name()
            assignments.append(st.Assignment(name, value, tenant, server, zone))
            if not self._symbol(","):
                return st.SetSystem(tuple(assignments))

    def _encryption(self) -> st.SetEncryption:
        if self._take("OFF"):
            return st.SetEncryption(False)
        self._expect("ON", "IDENTIFIED", "BY")
        self._next("string")
        self._expect("ONLY")
        return st.SetEncryption(True)
