"""The archive option: what a stored text says, and the whole table of ways from one to another."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ob_provider.oceanbase.destination import Keys
from airflow_ob_provider.oceanbase.options import (
    COMPRESSIONS,
    KEEP,
    MODES,
    ArchiveMode,
    ArchiveOption,
    Compression,
    WantedOption,
    plan_option,
)

OPTIONAL, MANDATORY = ArchiveMode.OPTIONAL, ArchiveMode.MANDATORY
DISABLE, LZ4, ZSTD = Compression.DISABLE, Compression.LZ4, Compression.ZSTD

# Texts the server accepts: the regression test and the manuals (specification 4.7), and its defaults.
ACCEPTED = [
    ("OPTIONAL", OPTIONAL, None),
    ("OPTIONAL COMPRESSION=ENABLE", OPTIONAL, LZ4),
    ("MANDATORY", MANDATORY, None),
    ("MANDATORY compression=disable", MANDATORY, DISABLE),
    ("MANDATORY compression =enable", MANDATORY, LZ4),
    ("MANDATORY compression = lz4_1.0", MANDATORY, LZ4),
    ("MANDATORY compression= zstd_1.3.8", MANDATORY, ZSTD),
    ("optional compression= zstd_1.3.8", OPTIONAL, ZSTD),
    ("compression= zstd_1.3.8 optional ", OPTIONAL, ZSTD),
    ("compression= zstd_1.3.8 optional", OPTIONAL, ZSTD),
    ("compression=lz4_1.0 mandatory", MANDATORY, LZ4),
    ("compression= enable", None, LZ4),
    ("compression= disable", None, DISABLE),
    ("optional compression= enable", OPTIONAL, LZ4),
    ("mandatory compression= enable", MANDATORY, LZ4),
    ("mandatory compression= lz4_1.0", MANDATORY, LZ4),
    # Repeated: the last one wins.
    ("optional compression= disable compression= lz4_1.0", OPTIONAL, LZ4),
    ("optional compression=lz4_1.0 compression=disable", OPTIONAL, DISABLE),
    ("optional mandatory", MANDATORY, None),
    ("mandatory compression=zstd_1.3.8 optional", OPTIONAL, ZSTD),
    ("  MANDATORY   COMPRESSION   =   ZSTD_1.3.8  ", MANDATORY, ZSTD),
]


@pytest.mark.parametrize(("text", "mode", "compression"), ACCEPTED)
def test_reads_what_the_server_stores(text: str, mode: ArchiveMode | None, compression: Compression | None) -> None:
    for spelling in (text, text.upper(), text.lower()):
        assert ArchiveOption.parse(spelling) == ArchiveOption(mode, compression)


# Texts the server refuses, so that it never shows them: nothing may be read out of them that is not there.
@pytest.mark.parametrize(
    ("text", "mode", "compression"),
    [
        ("", None, None),
        ("optional compression= none", OPTIONAL, None),
        ("optional compression", OPTIONAL, None),
        ("optional compression=", OPTIONAL, None),
        ("optional biubiu", OPTIONAL, None),
        ("optional compression disable", OPTIONAL, None),
        ("encryption_mode= none", None, None),
        ("disable", None, None),
        ("optionally", None, None),
        ("backup_mode=optional backup_compress=disable", OPTIONAL, None),
    ],
)
def test_reads_nothing_into_a_broken_text(text: str, mode: ArchiveMode | None, compression: Compression | None) -> None:
    assert ArchiveOption.parse(text) == ArchiveOption(mode, compression)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    found = ArchiveOption.parse(text)
    assert found.mode is None or found.mode in text.lower()
    assert found.compression is None or "compression" in text.lower()


blanks = st.text(" ", max_size=3)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, ArchiveOption]:
    """A legal text with blanks and capitals anywhere they are allowed, and what it means."""
    mode = draw(st.sampled_from(ArchiveMode))
    word = draw(st.sampled_from(["disable", "enable", "lz4_1.0", "zstd_1.3.8"]))
    parts = [str(mode), f"compression{draw(blanks)}={draw(blanks)}{word}"]
    if draw(st.booleans()):
        parts.reverse()
    text = draw(blanks) + (" " + draw(blanks)).join(parts) + draw(blanks)
    flips = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    text = "".join(letter.upper() if flip else letter for letter, flip in zip(text, flips, strict=True))
    return text, ArchiveOption(mode, LZ4 if word == "enable" else Compression(word))


@given(spellings())
def test_spelling_does_not_matter(spelling: tuple[str, ArchiveOption]) -> None:
    text, meaning = spelling
    assert ArchiveOption.parse(text) == meaning


@pytest.mark.parametrize(("mode", "compression"), list(itertools.product(ArchiveMode, Compression)))
def test_what_is_sent_is_read_back(mode: ArchiveMode, compression: Compression) -> None:
    option = ArchiveOption(mode, compression)
    assert ArchiveOption.parse(option.text) == option
    # The form all manuals use; blanks between the tokens are needed.
    assert option.text == f"{mode.value} compression= {compression.value}"
    assert str(option) == f"{mode.value}, compression {compression.value}"


@pytest.mark.parametrize("option", [ArchiveOption(None, LZ4), ArchiveOption(OPTIONAL, None), ArchiveOption(None, None)])
def test_half_an_option_is_never_sent(option: ArchiveOption) -> None:
    with pytest.raises(ValueError, match="both mode and compression"):
        _ = option.text


def test_what_is_not_stated_is_told() -> None:
    assert str(ArchiveOption(None, LZ4)) == "mode not stated, compression lz4_1.0"
    assert str(ArchiveOption(OPTIONAL, None)) == "optional, compression not stated"


WANTED_WORDS = [
    ("optional", OPTIONAL),
    (" Mandatory ", MANDATORY),
    ("KEEP", None),
]
COMPRESSION_WORDS = [
    ("disable", DISABLE),
    ("enable", LZ4),
    ("LZ4_1.0", LZ4),
    (" zstd_1.3.8 ", ZSTD),
    ("keep", None),
]


@pytest.mark.parametrize(
    ("mode", "compression"), list(itertools.product(WANTED_WORDS, COMPRESSION_WORDS)), ids=lambda pair: pair[0].strip()
)
def test_words_of_a_user(mode: tuple[str, ArchiveMode], compression: tuple[str, Compression]) -> None:
    assert WantedOption.check(mode[0], compression[0]) == WantedOption(mode[1], compression[1])


def test_every_listed_word_is_legal() -> None:
    for mode, compression in itertools.product(MODES, COMPRESSIONS):
        WantedOption.check(mode, compression)


@pytest.mark.parametrize("word", ["", "none", "on", None, True, 1, "optional compression", ["optional"], b"optional"])
def test_other_words_are_refused(word: object) -> None:
    with pytest.raises(ValueError, match="mode must be one of optional, mandatory, keep; not "):
        WantedOption.check(word, "keep")
    with pytest.raises(
        ValueError, match=r"compression must be one of disable, enable, lz4_1\.0, zstd_1\.3\.8, keep; not "
    ):
        WantedOption.check("keep", word)


@pytest.mark.parametrize(
    ("given", "number"),
    [(0, 0), (120, 120), ("60", 60), (" 7200 ", 7200), (None, None), ("", None), ("None", None), (" ", None)],
)
def test_lag_targets(given: object, number: int | None) -> None:
    wanted = WantedOption.check("keep", "keep", given)
    assert (wanted.lag_target, wanted.mode, wanted.compression, wanted.concurrency) == (number, None, None, None)


@pytest.mark.parametrize("given", [-1, 7201, "7201", 1.5, "1m", "60s", True, [60], "²", "9" * 30])
def test_other_lag_targets_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="lag_target must be a whole number of seconds from 0 to 7200, not ") as caught:
        WantedOption.check("keep", "keep", given)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize(("given", "number"), [(0, 0), (100, 100), ("8", 8), (None, None), ("None", None)])
def test_concurrencies(given: object, number: int | None) -> None:
    assert WantedOption.check(concurrency=given) == WantedOption(concurrency=number)


@pytest.mark.parametrize("given", [-1, 101, "many", False, 0.5])
def test_other_concurrencies_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="concurrency must be a whole number from 0 to 100, not "):
        WantedOption.check(concurrency=given)


def test_nothing_given_is_nothing_wanted() -> None:
    assert WantedOption.check() == WantedOption()
    assert not WantedOption.check().differs_from(ArchiveOption(OPTIONAL, None))


def test_keys_of_a_wish_are_not_shown() -> None:
    wanted = WantedOption.check("mandatory", lag_target=60).with_keys(Keys("AKID42", "wJalrX"))
    assert (wanted.mode, wanted.lag_target) == (MANDATORY, 60)
    assert wanted.keys == Keys("AKID42", "wJalrX")
    assert "AKID42" not in repr(wanted)
    assert wanted.with_keys(None).keys is None


# --- the way from one to another --------------------------------------------------------------------------------------

STATED_MODES = [OPTIONAL, MANDATORY, None]
STATED_COMPRESSIONS = [DISABLE, LZ4, ZSTD, None]
TABLE = list(
    itertools.product(STATED_MODES, STATED_COMPRESSIONS, STATED_MODES, STATED_COMPRESSIONS, [False, True]),
)


def expected(current: ArchiveOption, wanted: WantedOption, round_runs: bool) -> list[str] | str:
    """The statements' texts, or the word that names the obstacle. Written from the specification, not the code."""
    kept_mode = wanted.mode is None or wanted.mode == current.mode
    kept_compression = wanted.compression is None or wanted.compression == current.compression
    if kept_mode and kept_compression:
        return []
    mode = current.mode if wanted.mode is None else wanted.mode
    compression = current.compression if wanted.compression is None else wanted.compression
    if mode is None:
        return "mode='keep' cannot be met"
    if compression is None:
        return "compression='keep' cannot be met"
    target = f"{mode.value} compression= {compression.value}"
    if (current.mode, mode, compression) == (MANDATORY, MANDATORY, DISABLE):
        if wanted.mode is None:
            return "Say which mode is wanted"
        return "while log backup runs" if round_runs else ["optional compression= disable", target]
    return [target]


@pytest.mark.parametrize(("mode", "compression", "new_mode", "new_compression", "round_runs"), TABLE)
def test_the_whole_table(
    mode: ArchiveMode | None,
    compression: Compression | None,
    new_mode: ArchiveMode | None,
    new_compression: Compression | None,
    round_runs: bool,
) -> None:
    current, wanted = ArchiveOption(mode, compression), WantedOption(new_mode, new_compression)
    answer = expected(current, wanted, round_runs)
    assert wanted.differs_from(current) is (answer != [])
    if isinstance(answer, str):
        with pytest.raises(ValueError, match=answer):
            plan_option(current, wanted, round_runs=round_runs)
        return
    plan = plan_option(current, wanted, round_runs=round_runs)
    assert [option.text for option in plan] == answer
    if plan:
        # It ends where it was wanted, and a second run writes nothing.
        assert not wanted.differs_from(plan[-1])
        assert plan_option(plan[-1], wanted, round_runs=round_runs) == ()


def test_the_table_has_each_outcome() -> None:
    outcomes = [expected(ArchiveOption(a, b), WantedOption(c, d), runs) for a, b, c, d, runs in TABLE]
    assert len(outcomes) == 288
    assert {len(one) if isinstance(one, list) else one for one in outcomes} == {
        0,
        1,
        2,
        "mode='keep' cannot be met",
        "compression='keep' cannot be met",
        "while log backup runs",
        "Say which mode is wanted",
    }


def test_nothing_is_recycled_on_the_way_while_a_round_runs() -> None:
    """Mandatory stays mandatory at every step of a running round, unless optional is what was asked for."""
    for mode, compression, new_mode, new_compression, round_runs in TABLE:
        if mode is MANDATORY and new_mode is not OPTIONAL and round_runs:
            try:
                plan = plan_option(
                    ArchiveOption(mode, compression), WantedOption(new_mode, new_compression), round_runs=True
                )
            except ValueError:
                continue
            assert all(option.mode is MANDATORY for option in plan)


def test_the_obstacle_names_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"Give one of optional, mandatory$"):
        plan_option(ArchiveOption(None, LZ4), WantedOption(None, DISABLE), round_runs=False)
    with pytest.raises(ValueError, match=r"Give one of disable, enable, lz4_1\.0, zstd_1\.3\.8$"):
        plan_option(ArchiveOption(OPTIONAL, None), WantedOption(MANDATORY, None), round_runs=False)
    assert KEEP == "keep"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (
            None,
            ["compression='disable' is reached from mandatory only", "interrupted, mode='keep' would keep optional"],
        ),
        (
            MANDATORY,
            [
                "mode='mandatory' with compression='disable' cannot be reached",
                "while log backup runs: OceanBase's manual allows it only by way of optional",
                "before they are archived and the stream breaks. Keep the compression, or set mode='optional' and "
                "compression='disable', or do it while log backup is stopped",
            ],
        ),
    ],
)
def test_the_way_past_optional_is_explained(mode: ArchiveMode | None, words: list[str]) -> None:
    """Why something so small is refused, and what to give instead."""
    with pytest.raises(ValueError, match="optional") as caught:
        plan_option(ArchiveOption(MANDATORY, LZ4), WantedOption(mode, DISABLE), round_runs=True)
    message = str(caught.value)
    assert message.startswith(words[0])
    assert all(word in message for word in words)
    assert message.endswith(("mandatory or optional", "stopped"))
