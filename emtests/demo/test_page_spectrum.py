"""The panel of the spectrogram in headless Chromium, with the real C library."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from emtests.demo.conftest import Drive
from pyodide_demo import fft
from pyodide_demo.spectrum import Tone, bins_of_rows

pytestmark = pytest.mark.once


def write_tone(path: Path, frequency: float, seconds: float) -> None:
    rate = 48_000
    samples = Tone().samples(frequency, rate, int(rate * seconds), 0.25)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(b"".join(struct.pack("<h", int(32767 * each)) for each in samples))


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("spectrum")
    write_tone(folder / "tone.wav", 1000, 4)
    write_tone(folder / "short.wav", 2000, 0.4)
    (folder / "text.wav").write_text("no sound")
    return drive("spectrum", folder)


def frequency(state: dict[str, Any]) -> float:
    return float(state["peak-frequency"].removesuffix(" Hz"))


def test_a_known_tone_is_in_its_bin(seen: dict[str, Any]) -> None:
    state = seen["tone"]
    assert state["peak-bin"] == "19 of 1,024"  # 440 Hz, 48,000 a second, 2,048 at a time
    assert state["peak-frequency"] == "440.0 Hz"
    assert state["spectrum-bytes"] == "8,192 bytes"
    assert state["reading"].startswith("Pitch upwards from 50 Hz to 24,000 Hz")


def test_the_tone_can_be_heard_and_its_pitch_be_read(seen: dict[str, Any]) -> None:
    assert seen["audible"] == 440
    assert {"100 Hz", "1 kHz", "10 kHz"} <= set(seen["axis"])


def test_no_label_of_the_axis_is_cut_off(seen: dict[str, Any]) -> None:
    frame = seen["frame"]
    for label in seen["labels"]:
        assert frame["y"] <= label["y"]
        assert label["y"] + label["height"] <= frame["y"] + frame["height"]


def test_it_is_drawn_where_it_belongs(seen: dict[str, Any]) -> None:
    bins = bins_of_rows(256, 2048, 48_000)[seen["brightest"]]
    assert bins.start <= round(3000 * 2048 / 48_000) < bins.stop


def test_what_was_drawn_of_another_sound_goes(seen: dict[str, Any]) -> None:
    assert 0 < seen["columns of another sound"] < seen["columns"]


def test_the_blocks_are_in_the_heap_of_the_library(seen: dict[str, Any]) -> None:
    assert seen["blocks"] == [["float32 array", "8,192"]] * 3
    assert seen["memory"] == f"{16_908_288 / 2**20:.1f} MiB"
    assert unquote(seen["address"]).endswith("#map?heap=pffft's heap")


def test_a_sound_file_is_heard_to_its_end(seen: dict[str, Any]) -> None:
    assert frequency(seen["file"]) == pytest.approx(1000, abs=2)
    assert seen["no file"] == "Choose a sound file first."
    assert seen["bad file"] == "text.wav is not a sound that this browser can read."


def test_the_microphone_is_heard(seen: dict[str, Any]) -> None:
    # Chromium's stand-in for a microphone beeps now and then.
    assert math.isfinite(frequency(seen["microphone"]))


def test_the_code_shown_is_the_code_run(seen: dict[str, Any]) -> None:
    lines = Path(fft.__file__).read_text(encoding="utf-8").splitlines()
    assert [line.rstrip() for line in seen["code"]] == lines
