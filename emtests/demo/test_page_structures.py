"""The structure explorer in headless Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from emheap.types.abi import ABIS
from emtests.demo.conftest import Drive

pytestmark = pytest.mark.once

WASM = "wasm32-unknown-unknown"


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("structures", tmp_path_factory.mktemp("structures"))


def test_a_declaration_is_shown_with_its_layout(seen: dict[str, Any]) -> None:
    state = seen["node"]
    assert state["title"] == "Node: 24 bytes, aligned to 8, for wasm32"
    assert state["code"] == "node = heap.alloc(Node, Node(tag=7, weight=0.5, count=-1))"
    assert state["rows"] == [
        ["0", "1 byte", "tag uint8", "7"],
        ["1", "7 bytes", "padding", ""],
        ["8", "8 bytes", "weight float64", "0.5"],
        ["16", "4 bytes", "count long", "-1"],
        ["20", "4 bytes", "next Pointer[Node]", "None"],
    ]
    assert state["sizes"].keys() == ABIS.keys()
    assert (state["sizes"][WASM], state["sizes"]["i386-linux-gnu"]) == ("24 bytes", "20 bytes")


def test_the_bytes_have_the_colours_and_names_of_their_fields(seen: dict[str, Any]) -> None:
    state = seen["node"]
    assert state["labels"][0] == "Byte 0: tag"
    assert state["labels"][1] == "Byte 1: padding"
    assert len(set(state["colours"][8:16])) == 1
    assert len({state["colours"][at] for at in (0, 1, 8, 16, 20)}) == 5


def test_another_machine_lays_it_out_anew(seen: dict[str, Any]) -> None:
    assert [row[0] for row in seen["i386"]["rows"]] == ["0", "1", "4", "12", "16"]
    assert [row[3] for row in seen["i386"]["rows"]] == [row[3] for row in seen["node"]["rows"]]


def test_digits_can_be_read_on_two_grounds_at_once(seen: dict[str, Any]) -> None:
    assert seen["partly padding"] == [seen["colour of text"]]


def test_a_value_changes_the_bytes(seen: dict[str, Any]) -> None:
    assert seen["stored"]["bytes"] == "ff4000ff"
    assert seen["stored"]["code"] == "pixel.green = 0x40"


def test_a_value_that_does_not_fit_is_explained_and_changes_nothing(seen: dict[str, Any]) -> None:
    words = "ValueOutOfRangeError: Pixel.green: 300 does not fit uint8, which holds 0 to 255"
    assert seen["refused"] == words
    assert seen["invalid"] == "The value of green"
    assert seen["after"] == "ff4000ff"


def test_bytes_change_the_values(seen: dict[str, Any]) -> None:
    assert seen["typed"]["bytes"] == "ff400b7f"
    assert [row[3] for row in seen["typed"]["rows"]] == ["255", "64", "11", "127"]


def test_the_keyboard_reaches_one_byte_and_points_at_its_field(seen: dict[str, Any]) -> None:
    assert seen["reachable"] == 1
    (row,) = seen["pointed"]
    assert "blue" in row
    assert seen["left"]


def test_the_address_carries_declaration_machine_and_bytes(seen: dict[str, Any]) -> None:
    assert seen["linked"]["bytes"] == "ff400c7f"


def test_a_declaration_of_ones_own_is_read_as_it_is_typed(seen: dict[str, Any]) -> None:
    assert seen["own"]["bytes"] == "0100ffff"
    assert seen["wrong"].startswith("Line 1: TypeError: Point.x: int is no type of memory")
    assert seen["numbers"] == 1
