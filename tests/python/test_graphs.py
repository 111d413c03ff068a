"""Sources, sinks, replicas, branches, and C++ stages beside Python ones."""

import os
import signal

import pytest

import pystream
from conftest import ALL, DEADLINE, run_all
from pystream import Pipeline, Registered


def collect(path):
    """A sink that appends each item to a file, a line each."""

    def write(item):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{item}\n")

    return write


def test_a_source_and_a_sink_run_by_themselves(tmp_path):
    pipeline = Pipeline()
    pipeline.source(range(100), "Numbers")
    pipeline.add(lambda x: x * x, "Square")
    pipeline.sink(collect(tmp_path / "out"), "Write")
    pipeline.run()
    assert (tmp_path / "out").read_text().split() == [str(x * x) for x in range(100)]


def test_a_generator_function_is_a_source(pipeline):
    def numbers():
        yield 1
        yield 2

    pipeline.source(numbers)
    pipeline.add(lambda x: x + 1)
    pipeline.parallelize(**ALL)
    assert [pipeline.get_results(), pipeline.get_results()] == [2, 3]
    assert pipeline.wait(DEADLINE)


def test_the_ends_refuse_what_is_theirs(pipeline):
    pipeline.source([1])
    pipeline.add(lambda x: x)
    pipeline.sink(lambda x: None)
    pipeline.parallelize()
    with pytest.raises(pystream.Error, match="without a source"):
        pipeline.forward(1)
    with pytest.raises(pystream.Error, match="without a sink"):
        pipeline.get_results()


def test_a_source_that_is_killed_goes_on_where_it_was(pipeline):
    pipeline.source(range(2000), "Numbers")
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    results = []
    while len(results) < 2000:
        if len(results) in (1, 500, 1000):
            os.kill(pipeline.status().stages[0].pid, signal.SIGKILL)
        results.append(pipeline.get_results())
    assert results == list(range(2000))


def test_a_source_may_take_its_restart_into_its_own_hands(pipeline):
    class Camera:
        def __init__(self):
            self.frame = 0
            self.resumed = False

        def resume(self, given):
            self.frame = given
            self.resumed = True

        def __iter__(self):
            return self

        def __next__(self):
            if self.frame >= 300:
                raise StopIteration
            self.frame += 1
            return self.frame, self.resumed

    pipeline.source(Camera(), "Camera")
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    results = [pipeline.get_results() for _ in range(10)]
    os.kill(pipeline.status().stages[0].pid, signal.SIGKILL)
    results += [pipeline.get_results() for _ in range(290)]
    assert [frame for frame, _ in results] == list(range(1, 301))
    assert results[-1][1] is True


def test_what_a_source_raises_ends_the_run(pipeline):
    def numbers():
        yield 1
        raise OSError("unplugged")

    pipeline.source(numbers)
    pipeline.add(lambda x: x)
    pipeline.parallelize(**ALL)
    results = []
    with pytest.raises(pystream.PipelineTerminated, match="unplugged"):
        while True:
            results.append(pipeline.get_results())
    assert results in ([], [1])  # the workers are stopped, whether or not the item has come so far


def test_replicas_keep_the_order(pipeline):
    pipeline.add(lambda x: (x, os.getpid()), replicas=3)
    pipeline.parallelize(**ALL)
    results = run_all(pipeline, range(30))
    assert [x for x, _ in results] == list(range(30))
    assert len({pid for _, pid in results}) == 3


@pytest.mark.parametrize("share", ["turn", "least_loaded"])
def test_replicas_share_as_they_are_told(pipeline, share):
    pipeline.add(lambda x: x * 2, replicas=2, share=share)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, range(30)) == [2 * x for x in range(30)]


def test_items_of_one_key_are_for_one_replica(pipeline):
    pipeline.add(lambda x: x)
    pipeline.add(lambda x: (x, os.getpid()), replicas=3, share=lambda x: x["key"])
    pipeline.parallelize(**ALL)
    items = [{"key": f"key {number % 7}", "number": number} for number in range(70)]
    results = run_all(pipeline, items)
    assert [item for item, _ in results] == items
    for key in {item["key"] for item in items}:
        assert len({pid for item, pid in results if item["key"] == key}) == 1
    assert len({pid for _, pid in results}) > 1


def test_a_key_that_raises_comes_out_of_forward(pipeline):
    pipeline.add(lambda x: x, replicas=2, share=lambda x: x["key"])
    pipeline.parallelize(**ALL)
    with pytest.raises(KeyError):
        pipeline.forward({})
    assert run_all(pipeline, [{"key": 1}]) == [{"key": 1}]


def test_another_share_says_which_there_are(pipeline):
    pipeline.add(lambda x: x, replicas=2, share="random")
    with pytest.raises(ValueError, match='share: found "random", expected one of "turn", "least_loaded"'):
        pipeline.parallelize()


def test_branches_are_zipped_to_tuples(pipeline):
    views = Pipeline()
    views.add(lambda x: x + 1, "More")
    views.add(lambda x: [x] * 3, "Thrice")
    pipeline.add(views.branch("zip").as_stage(), "Views")
    pipeline.add(lambda both: {"more": both[0], "thrice": both[1]})
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [1, 2]) == [
        {"more": 2, "thrice": [1, 1, 1]},
        {"more": 3, "thrice": [2, 2, 2]},
    ]


def test_branches_are_merged_in_their_order(pipeline):
    pipeline.add(lambda x: x + 1)
    pipeline.add(lambda x: x - 1)
    pipeline.branch("merge", **ALL)
    assert pipeline.forward(1)
    assert [pipeline.get_results(), pipeline.get_results()] == [2, 0]


def test_a_tap_passes_on(pipeline, tmp_path):
    tap = Pipeline()
    tap.add(lambda x: f"seen {x}")
    tap.sink(collect(tmp_path / "out"))
    taps = Pipeline()
    taps.add(tap.serialize().as_stage(), "Tap")
    pipeline.add(lambda x: x + 1)
    pipeline.add(taps.branch("none").as_stage(), "Taps")
    pipeline.add(lambda x: x * 10)
    pipeline.parallelize(**ALL)
    assert run_all(pipeline, [1, 2]) == [20, 30]
    assert pipeline.drain(DEADLINE)
    assert (tmp_path / "out").read_text().splitlines() == ["seen 2", "seen 3"]


def test_stages_of_cpp_stand_beside_those_of_python(pipeline):
    pipeline.add(lambda x: f"line {x}", gives="text")
    pipeline.add(Registered("exec", {"command": ["cat"]}), "Cat")
    pipeline.add(lambda line: line.upper(), takes="text")
    pipeline.parallelize(**ALL)
    assert pipeline.forward(1)
    assert pipeline.get_results() == "LINE 1"


def test_a_cpp_source_and_sink(tmp_path):
    (tmp_path / "in").write_text("one\ntwo\nthree\n")
    pipeline = Pipeline()
    pipeline.source(Registered("lines", {"path": str(tmp_path / "in")}), "Lines")
    pipeline.add(lambda line: line[::-1], "Reverse", takes="text", gives="text")
    pipeline.sink(Registered("file_writer", {"path": str(tmp_path / "out"), "newline": "always"}))
    pipeline.run()
    assert (tmp_path / "out").read_text() == "eno\nowt\neerht\n"


def test_gives_is_checked(pipeline):
    pipeline.add(lambda x: x, gives="bytes")
    pipeline.parallelize(results="all", capacity=16)
    assert pipeline.forward(5)
    assert pipeline.drain(DEADLINE)
    (letter,) = pipeline.dead_letters()
    assert "the stage gave int, expected bytes" in letter.reason


def test_a_form_that_there_is_not_is_refused(pipeline):
    pipeline.add(lambda x: x, takes="json")
    with pytest.raises(pystream.Error, match='"json", expected "object", "bytes", "text" or "image"'):
        pipeline.parallelize()


ARRAY_STAGES = os.environ.get("PYSTREAM_ARRAY_STAGES")
needs_array_stages = pytest.mark.skipif(ARRAY_STAGES is None, reason="PYSTREAM_ARRAY_STAGES names no plugin")


@needs_array_stages
def test_arrays_go_to_stages_of_cpp_and_back(pipeline):
    np = pytest.importorskip("numpy")
    pipeline.add(lambda x: x + 1)
    pipeline.add(Registered("test.array.invert"), "Invert")
    pipeline.add(lambda x: x.reshape(-1))
    pipeline.add(Registered("test.array.mean"), "Mean")
    pipeline.parallelize(**ALL, plugins=[ARRAY_STAGES])
    results = run_all(pipeline, [np.full((20, 30, 3), number, dtype=np.uint8) for number in range(5)])
    assert [result.tolist() for result in results] == [[254.0 - number] for number in range(5)]


@needs_array_stages
def test_an_array_of_another_type_is_refused_by_a_stage_of_cpp(pipeline):
    np = pytest.importorskip("numpy")
    pipeline.add(Registered("test.array.invert"), "Invert")
    pipeline.parallelize(results="all", capacity=16, plugins=[ARRAY_STAGES])
    for item in (np.ones(3), np.ones(3, dtype=np.uint8)):
        assert pipeline.forward(item)
    assert pipeline.drain(DEADLINE)
    (letter,) = pipeline.dead_letters()
    assert "found an array of float64, expected one of uint8" in letter.reason


@pytest.mark.skipif("PYSTREAM_HAS_OPENCV" not in os.environ, reason="there are no stages of OpenCV")
@pytest.mark.parametrize("zero_copy", [False, True])
def test_images_of_opencv_stages_are_arrays_and_back(pipeline, zero_copy):
    np = pytest.importorskip("numpy")
    pipeline.add(lambda x: x, "Give", gives="image")
    pipeline.add(Registered("image.gray"), "Gray")
    pipeline.add(lambda x: (x.shape, x.dtype.name, x.copy()), "Look", zero_copy=zero_copy)
    pipeline.parallelize(**ALL, plugins=["libpystream_opencv.so"])
    image = np.zeros((4, 6, 3), dtype=np.uint8)
    image[:, :, :] = 200
    ((shape, kind, gray),) = run_all(pipeline, [image])
    assert (shape, kind) == ((4, 6), "uint8")
    assert (gray == 200).all()


def test_what_is_no_image_is_not_given_as_one(pipeline):
    np = pytest.importorskip("numpy")
    pipeline.add(lambda x: x, gives="image")
    pipeline.parallelize(results="all", capacity=16)
    for item in (np.ones(3), "text", np.ones((2, 2, 5), dtype=np.uint8)):
        assert pipeline.forward(item)
    assert pipeline.drain(DEADLINE)
    reasons = [letter.reason for letter in pipeline.dead_letters()]
    assert "expected an image" in reasons[0]
    assert "found str, expected a numpy array" in reasons[1]
    assert "expected an image" in reasons[2]
