"""What travels between processes, and how it lies in its bytes."""

import array
import dataclasses
import datetime
import enum
import math
import pickle
import struct

import pytest

from conftest import ALL, run_all
from pystream import PayloadError, _core

np = pytest.importorskip("numpy")


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Colour(enum.Enum):
    RED = 1


class Text(str):
    pass


VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,  # more than 64 bits
    10**100,
    0.0,
    -0.0,
    math.inf,
    5e-324,
    "",
    "text",
    "Grüße \U0001f600",
    "a\0b",
    "\ud800",  # no UTF-8 has it
    b"",
    b"bytes\0",
    bytearray(b"more"),
    (),
    (1, "two", None),
    [1, [2, [3]]],
    {"a": 1, 2: {"b"}},
    Point(1, 2.5),
    Colour.RED,
    Text("subclass"),
    datetime.date(2020, 2, 29),
    array.array("d", [1, 2]),
    1 + 2j,
    range(5),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_were(value):
    back = _core.decoded(_core.encoded(value))
    assert type(back) is type(value)
    assert back == value
    assert repr(back) == repr(value)


def test_not_a_number_comes_back():
    assert math.isnan(_core.decoded(_core.encoded(math.nan)))


ARRAYS = [
    np.arange(12).reshape(3, 4),
    np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(12)[::2],
    np.arange(12)[::-1],
    np.arange(12).reshape(3, 4).T[1:],
    np.broadcast_to(np.arange(3), (4, 3)),
    np.array(5.5),
    np.empty((0, 4), dtype=np.float32),
    np.array([True, False]),
    np.array([1.5], dtype=np.float16),
    np.array([1 + 2j], dtype=np.complex64),
    np.arange(4, dtype=">i4"),
    np.array([1.25], dtype=np.longdouble),
    np.array(["text", "b"]),
    np.array([1, "mixed", None], dtype=object),
    np.array(["2020-02-29"], dtype="datetime64[D]"),
    np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    np.ones((1,) * 32),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_arrays_come_back_as_they_were(value):
    back = _core.decoded(_core.encoded(value))
    assert type(back) is np.ndarray
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert np.array_equal(back, value)
    assert back.flags.writeable
    assert back.flags.aligned


def test_the_order_of_columns_is_kept():
    assert _core.decoded(_core.encoded(np.asfortranarray(np.ones((3, 4))))).flags.f_contiguous


def test_subclasses_of_arrays_stay_what_they_are():
    value = np.ma.masked_array([1, 2], mask=[True, False])
    assert isinstance(_core.decoded(_core.encoded(value)), np.ma.MaskedArray)


def test_arrays_in_objects_can_be_written():
    back = _core.decoded(_core.encoded({"image": np.zeros((100, 100)), "more": [np.ones(3)]}))
    back["image"][0, 0] = 1
    back["more"][0] += 1
    assert back["more"][0].tolist() == [2, 2, 2]


def test_small_values_have_sixteen_bytes():
    assert all(len(_core.encoded(value)) == 16 for value in (None, True, 7, 7.5))


def test_arrays_are_not_pickled():
    assert b"numpy" not in _core.encoded(np.ones(10))


def test_what_cannot_be_pickled_says_so():
    with pytest.raises(Exception, match="pickle"):
        _core.encoded(lambda: None)


def test_items_of_other_stages_are_refused_with_a_sentence():
    with pytest.raises(PayloadError, match="no Python object"):
        _core.decoded(b"neither a frame nor an image, just some text")
    with pytest.raises(PayloadError, match="shorter"):
        _core.decoded(b"short")


@pytest.mark.parametrize(
    "value", [7, "text", np.arange(6.0).reshape(2, 3), {"array": np.arange(5), "more": "text"}], ids=["int", "text", "array", "pickle"]
)
def test_damaged_items_are_refused_or_are_others(value):
    """Bytes of shared memory are not trusted: no damage of them may crash the reader, however it ends."""
    whole = _core.encoded(value)
    for size in range(len(whole)):
        with pytest.raises((PayloadError, EOFError, pickle.UnpicklingError)):
            _core.decoded(whole[:size])
    heads = min(len(whole), 64)
    for at in range(heads):
        for byte in (0x00, 0x01, 0x7F, 0x80, 0xFF):
            damaged = whole[:at] + bytes([byte]) + whole[at + 1 :]
            try:
                _core.decoded(damaged)
            except Exception:  # of pickle there are many kinds
                pass


def test_images_of_the_opencv_stages_are_arrays():
    """An item as workers/opencv/image.hpp describes it: a plane of 2 x 3 pixels with 3 channels of 8 bits."""
    pixels = bytes(range(18))
    item = struct.pack("<4I", 0x31495350, 1, 0, 0) + struct.pack("<4i", 2, 3, 16, 0) + pixels + bytes(14)
    image = _core.decoded(item)
    assert image.shape == (2, 3, 3)
    assert image.dtype == np.uint8
    assert image.tobytes() == pixels
    with pytest.raises(PayloadError, match="beyond"):
        _core.decoded(item[:40])


@pytest.mark.parametrize("value", [5, "x" * 100_000, np.ones((1000, 1000)), {"a": [1, 2, np.ones(5)]}], ids=["int", "text", "array", "dict"])
def test_values_go_through_processes(pipeline, value):
    pipeline.add(lambda x: x)
    pipeline.add(lambda x: (type(x), x))
    pipeline.parallelize(**ALL)
    for kind, back in run_all(pipeline, [value] * 5):
        assert kind is type(value)
        assert str(back) == str(value)


def test_arrays_arrive_writable(pipeline):
    def increment(x):
        x += 1
        return x

    pipeline.add(increment)
    pipeline.add(increment)
    pipeline.parallelize(**ALL)
    (result,) = run_all(pipeline, [np.zeros(1000)])
    result += 1
    assert result.tolist() == [3] * 1000


def test_an_item_that_cannot_be_pickled_is_refused_by_forward(pipeline):
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    with pytest.raises(Exception, match="pickle"):
        pipeline.forward(lambda: None)
    assert run_all(pipeline, [1]) == [1]


def test_zero_copy_gives_views_that_cannot_be_written(pipeline):
    def look(x):
        return x.flags.writeable, x.flags.owndata, x.sum()

    pipeline.add(look, zero_copy=True)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [np.ones(1000)] * 20) == [(False, False, 1000.0)] * 20


def test_zero_copy_reaches_into_objects(pipeline):
    pipeline.add(lambda x: (x["a"].flags.writeable, x["a"].sum()), zero_copy=True)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [{"a": np.ones(1000)}]) == [(False, 1000.0)]


def test_a_view_may_be_given_on(pipeline):
    pipeline.add(lambda x: x, zero_copy=True)
    pipeline.add(lambda x: x[::2], zero_copy=True)
    pipeline.add(lambda x: {"half": x}, zero_copy=True)
    pipeline.parallelize(**ALL)
    items = [np.arange(1000) + i for i in range(20)]
    for item, result in zip(items, run_all(pipeline, items)):
        assert np.array_equal(result["half"], item[::2])


def test_a_view_that_is_kept_is_an_error_of_its_item(pipeline):
    kept = []

    def keep(x):
        if x[0] == 1:
            kept.append(x)
        return x.sum()

    pipeline.add(keep, "Keep", zero_copy=True)
    pipeline.parallelize(results="all", capacity=64)
    for number in range(4):
        assert pipeline.forward(np.full(10, number))
    assert pipeline.drain(60)
    assert pipeline.get_all_results() == [0, 20, 30]
    (letter,) = pipeline.dead_letters()
    assert letter.sequence == 1
    assert "keeps a view of its item" in letter.reason
    assert letter.item.tolist() == [1] * 10


def test_a_view_that_garbage_holds_is_not_kept(pipeline):
    def leave_garbage(x):
        cycle = [x]
        cycle.append(cycle)  # freed when garbage is collected, and not before
        return x.sum()

    pipeline.add(leave_garbage, zero_copy=True)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [np.ones(10)] * 5) == [10] * 5
