"""What `python -m emtests.bench` says to words that it cannot use."""

from __future__ import annotations

import pytest

from emtests.bench.command_line import main


def test_a_pattern_that_is_none_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--rows", "alloc + free ("])
    assert ended.value.code == 2
    words = capsys.readouterr().err
    assert "argument --rows: 'alloc + free (' is no regular expression: missing )" in words
    assert "Traceback" not in words


def test_an_unknown_runtime_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--runtime", "native,pypy"])
    assert "argument --runtime: no such runtime: pypy" in capsys.readouterr().err


def test_a_pattern_that_matches_no_row_is_told_and_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--runtime", "native", "--rows", "no such work"]) == 1
    assert "No row matches 'no such work'." in capsys.readouterr().err
