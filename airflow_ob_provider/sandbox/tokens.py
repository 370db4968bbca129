"""A reader over the tokens of a statement, for the grammars of both generations."""

from __future__ import annotations

from .errors import ServerError, syntax_error
from .lexer import Token, tokenize


class Reader:
    """Takes tokens from the left; what doesn't fit is 1064 there."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._tokens = tokenize(sql)
        self._at = 0

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _error(self) -> ServerError:
        token = self._peek()
        return syntax_error(self._sql[token.start :] if token else "")

    def _next(self, *kinds: str) -> Token:
        token = self._peek()
        if token is None or token.kind not in kinds:
            raise self._error()
        self._at += 1
        return token

    def _take(self, *words: str) -> bool:
        """Take these words if they come next, all or none."""
        tokens = self._tokens[self._at : self._at + len(words)]
        if len(tokens) == len(words) and all(t.is_word(w) for t, w in zip(tokens, words, strict=True)):
            self._at += len(words)
            return True
        return False

    def _symbol(self, symbol: str) -> bool:
        token = self._peek()
        if token is not None and token.is_symbol(symbol):
            self._at += 1
            return True
        return False

    def _expect(self, *words: str) -> None:
        for word in words:
            if not self._take(word):
                raise self._error()

    def _end(self) -> None:
        if self._peek() is not None:
            raise self._error()

    def _number(self) -> int:
        token = self._next("number")
        if "." in token.text:
            raise self._error()
        return int(token.text)

    def _constant(self) -> str:
        """A constant: string, number, TRUE or FALSE."""
        sign = "-" if self._symbol("-") else ""
        if sign:
            return sign + self._next("number").text
        token = self._next("string", "number", "word")
        if token.kind == "word" and not token.is_word("TRUE", "FALSE"):
            self._at -= 1
            raise self._error()
        return token.text.capitalize() if token.kind == "word" else token.text
