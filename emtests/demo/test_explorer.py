"""What the structure explorer shows: layouts, bytes and values, of which each changes the other."""

from __future__ import annotations

import struct

import pytest

from emheap.types.abi import ABIS, native_abi
from pyodide_demo import explorer
from pyodide_demo.explorer import MOST_BYTES, ExplorerError, move, read, write
from pyodide_demo.explorer_examples import EXAMPLES
from pyodide_demo.explorer_parts import Part

WASM = "wasm32-unknown-unknown"
LINUX = "x86_64-linux-gnu"
I386 = "i386-linux-gnu"
WINDOWS = "x86_64-pc-windows-msvc"
CODE = {example["name"]: example["code"] for example in EXAMPLES}


def fields(report: explorer.Report) -> dict[str, str]:
    return {part["path"]: part["value"] for part in report["parts"] if part["path"]}


def places(report: explorer.Report) -> list[tuple[str, int, int]]:
    return [(part["path"], part["start"], part["length"]) for part in report["parts"]]


def test_a_structure_has_the_bytes_of_the_last_line() -> None:
    shown = read(CODE["pixel"], WASM)
    assert shown["bytes"] == "ff8000ff"
    assert fields(shown) == {"red": "255", "green": "128", "blue": "0", "alpha": "255"}
    assert shown["code"] == "pixel = heap.alloc(Pixel, Pixel(red=255, green=128, blue=0))"


@pytest.mark.parametrize(
    ("machine", "count", "following", "size"),
    [(WASM, 16, 20, 24), (LINUX, 16, 24, 32), (I386, 12, 16, 20), (WINDOWS, 16, 24, 32)],
)
def test_each_machine_has_its_own_layout(
    machine: str, count: int, following: int, size: int
) -> None:
    shown = read(CODE["node"], machine)
    starts = {path: start // 8 for path, start, _ in places(shown) if path}
    assert (starts["count"], starts["next"]) == (count, following)
    assert len(shown["bytes"]) == 2 * size
    found = next(each for each in shown["machines"] if each["name"] == machine)
    assert (found["title"], found["byte_size"]) == (ABIS[machine].name, size)
    assert {each["name"] for each in shown["machines"]} == set(ABIS)


def test_padding_is_shown_where_it_lies() -> None:
    assert places(read(CODE["node"], LINUX)) == [
        ("tag", 0, 8),
        ("", 8, 56),
        ("weight", 64, 64),
        ("count", 128, 64),
        ("next", 192, 64),
    ]


def test_nested_fields_and_elements_are_parts_of_their_own() -> None:
    shown = read(CODE["glyph"], WASM)
    assert fields(shown) == {
        "letter": "'é'",
        "code": "233",
        "offset.x": "0.5",
        "offset.y": "-1.0",
        "kerning[0, 0]": "1",
        "kerning[0, 1]": "2",
        "kerning[1, 0]": "3",
        "kerning[1, 1]": "4",
        "name": "None",
    }
    assert ("kerning[1, 0]", 8 * 24, 16) in places(shown)


def test_arrays_of_structures_and_pointers_are_shown_element_by_element() -> None:
    code = """
class Point(Struct):
    x: int8
    y: int8
class Line(Struct):
    ends: Array[Point] = array(2, 1)
    names: Array[Pointer[utf8]] = array(2)
Line(ends=[(1, 2), (3, 4)])
"""
    assert fields(read(code, WASM)) == {
        "ends[0, 0].x": "1",
        "ends[0, 0].y": "2",
        "ends[1, 0].x": "3",
        "ends[1, 0].y": "4",
        "names[0]": "None",
        "names[1]": "None",
    }


def test_a_flexible_array_has_no_element_of_the_structure() -> None:
    shown = read(
        "class Message(Struct):\n    count: uint8\n    items: Array[uint16] = array()", WASM
    )
    assert places(shown) == [("count", 0, 8), ("", 8, 8)]


def test_bit_fields_lie_as_each_compiler_puts_them() -> None:
    system_v, microsoft = (read(CODE["flags"], machine) for machine in (LINUX, WINDOWS))
    assert ("width", 3, 12) in places(system_v)
    assert ("width", 16, 12) in places(microsoft)
    assert fields(system_v) == fields(microsoft)
    assert fields(system_v)["style"] == "Style.DOTTED"


def test_the_fields_of_a_union_share_their_bytes() -> None:
    shown = write(CODE["union"], WASM, read(CODE["union"], WASM)["bytes"], "as_int", "0x40490fdb")
    (packed,) = struct.unpack("<f", bytes.fromhex(shown["bytes"]))
    assert fields(shown)["as_float"] == repr(packed)
    assert fields(shown)["as_bytes[3]"] == str(0x40)


def test_big_endian_fields_have_their_own_order() -> None:
    packed = struct.pack(">BHId", 1, 15, 0x01020304, 1.0)
    assert read(CODE["header"], WASM)["bytes"] == packed.hex()


def test_changed_bytes_change_the_fields() -> None:
    assert fields(read(CODE["pixel"], WASM, "01020304"))["alpha"] == "4"


def test_a_changed_field_changes_the_bytes() -> None:
    shown = write(CODE["glyph"], WASM, read(CODE["glyph"], WASM)["bytes"], "offset.y", "2 ** 0.5")
    at = 2 * 16
    assert shown["bytes"][at : at + 8] == struct.pack("<f", 2**0.5).hex()
    assert shown["code"] == "glyph.offset.y = 2 ** 0.5"
    assert (
        fields(write(CODE["glyph"], WASM, shown["bytes"], "kerning[1, 0]", "-7"))["kerning[1, 0]"]
        == "-7"
    )
    assert (
        fields(write(CODE["glyph"], WASM, shown["bytes"], "letter", "'abc'"))["letter"] == "'abc'"
    )


def test_values_go_with_the_structure_to_another_machine() -> None:
    here = write(CODE["node"], LINUX, read(CODE["node"], LINUX)["bytes"], "count", "12345")
    there = move(CODE["node"], LINUX, here["bytes"], I386)
    assert fields(there) == fields(here)
    assert len(there["bytes"]) == 2 * 20


def test_values_that_do_not_fit_there_are_refused() -> None:
    here = write(CODE["node"], LINUX, read(CODE["node"], LINUX)["bytes"], "count", "2**40")
    with pytest.raises(ExplorerError, match=r"Node\.count: 1099511627776 does not fit"):
        move(CODE["node"], LINUX, here["bytes"], WASM)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("red", "300", "Pixel.red: 300 does not fit uint8, which holds 0 to 255"),
        ("red", "'a'", "TypeError: Pixel.red"),
        ("red", "nothing", "NameError: name 'nothing' is not defined"),
        ("red", "1 +", "SyntaxError: "),
        ("red", "1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_value_that_cannot_be_stored_is_explained(field: str, value: str, words: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        write(CODE["pixel"], WASM, "01020304", field, value)
    assert words in str(caught.value)


def test_bytes_that_are_no_value_are_explained_where_they_lie() -> None:
    parts: dict[str, Part] = {
        part["path"]: part for part in read(CODE["flags"], WASM, "ff" * 8)["parts"]
    }
    assert parts["style"]["value"] == ""
    assert parts["style"]["problem"] == "Pen.style holds 3, which is no Style"
    assert parts["visible"]["value"] == "True"


POINT = "class Point(Struct):\n    x: uint8\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "There is no structure. Declare one"),
        ("class Point(Struct):\n    x int8", "Line 2: "),
        ("class Point(Struct):\n    x: int", "TypeError: Point.x: int is no type of memory"),
        ("class Point(Struct): pass", "Point has no fields yet."),
        ("class Point(Struct):\n    x: Array[uint8] = array(300)", "Point takes 300 bytes"),
        (POINT + "Point(x=300)", "Line 3: ValueOutOfRangeError: Point.x: 300 does not fit"),
        (POINT + "1 + 1", "The last line gives int 2, which is no structure."),
        ("import nothing_of_this_name", "Line 1: ModuleNotFoundError: "),
    ],
)
def test_a_declaration_that_cannot_be_used_is_explained(code: str, words: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        read(code, WASM)
    assert words in str(caught.value)


def test_without_a_last_line_the_last_structure_is_shown_as_zeros() -> None:
    code = POINT + "class Pair(Struct):\n    a: Point\n    b: Point\n"
    assert (read(code, WASM)["name"], read(code, WASM)["bytes"]) == ("Pair", "0000")
    assert read(code + "Point", WASM)["name"] == "Point"


def test_the_largest_structure_is_shown_for_every_machine() -> None:
    code = f"class Large(Struct, align=64):\n    all: Array[uint8] = array({MOST_BYTES})\n"
    for machine in ABIS:
        assert len(read(code, machine)["bytes"]) == 2 * MOST_BYTES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["name"]))
def test_every_example_can_be_shown_and_moved_everywhere(example: dict[str, str]) -> None:
    here = read(example["code"], WASM)
    assert all(part["problem"] == "" for part in here["parts"])
    for machine in ABIS:
        assert fields(move(example["code"], WASM, here["bytes"], machine)) == fields(here)


def test_the_layout_for_this_process_is_that_of_its_c_code() -> None:
    (machine,) = [name for name, abi in ABIS.items() if abi is native_abi()]
    size = struct.calcsize("@BdlP")
    assert len(read(CODE["node"], machine)["bytes"]) == 2 * size
