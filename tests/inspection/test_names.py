"""A file's name can be stored, logged and shown, whatever bytes it is."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.names import legible, told_name

KOREAN = "슬라이스_003.jpg"


def as_listed(data: bytes) -> str:
    """What Python calls a file whose name is these bytes."""
    return os.fsdecode(data)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"s_003.jpg", "s_003.jpg"),
        (KOREAN.encode(), KOREAN),
        (KOREAN.encode("cp949"), f"(cp949) {KOREAN}"),
        ("로트/배터리 1/x.png".encode("cp949"), "(cp949) 로트/(cp949) 배터리 1/x.png"),
        (b"caf\xe9.jpg", "(bytes) caf%E9.jpg"),
        (b"100%\xff.jpg", "(bytes) 100%25%FF.jpg"),
        ("가".encode() + b"\xff.jpg", "(bytes) 가%FF.jpg"),
    ],
)
def test_a_name_is_told_as_somebody_can_read_it(name, told):
    assert told_name(as_listed(name)) == told


def test_a_lone_half_of_a_utf16_pair_as_windows_allows_it():
    assert told_name("a\ud800b.png") == "(bytes) a%D800b.png"


def test_numbers_and_axes_are_looked_for_in_what_was_written():
    # The second byte of a Korean letter may be a Latin one: 0xC1 0x78 is no axis x.
    assert legible(as_listed(b"\xc1\x78_003")) == b"\xc1\x78_003".decode("cp949")
    assert legible(as_listed(b"\xff_003")) == "\ufffd_003"


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_any_name_can_be_written_and_no_two_are_told_alike(first, second):
    names = [as_listed(data.replace(b"/", b"")) for data in (first, second)]
    told = [told_name(name) for name in names]
    assert all(name.encode() is not None for name in told)
    # Whoever names a file "(cp949) …" means it.
    marked = any(name.startswith(("(cp949)", "(bytes)")) for name in names)
    assert marked or (names[0] == names[1]) == (told[0] == told[1])


def test_messages_can_be_written_whatever_file_they_are_about():
    name = as_listed(KOREAN.encode("cp949"))
    message = Message(code="image_missing", params={"name": name})
    assert KOREAN in json.loads(message.model_dump_json())["params"]["name"]
    assert str(ImageError("image_missing", name=name)).encode()
