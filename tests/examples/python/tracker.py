"""A stage with a state, as a model has one: it smooths what a detector finds, one track for each object, and survives a
detector that crashes now and then.
"""

import os
import random
import signal

import pystream


def detect(frame):
    """Finds objects, and dies on one frame in fifty, as a C extension may."""
    if random.random() < 0.02:
        os.kill(os.getpid(), signal.SIGSEGV)
    return [(name, frame["time"] * speed) for name, speed in frame["objects"].items()]


class Track(pystream.Stage):
    """A running mean of the positions of each object."""

    def __init__(self, weight):
        self.weight = weight
        self.positions = {}

    def __call__(self, detections):
        for name, position in detections:
            old = self.positions.get(name, position)
            self.positions[name] = old + self.weight * (position - old)
        return dict(self.positions)

    def cleanup(self):
        pass


def main():
    track = Track(0.5)
    pipeline = pystream.Pipeline()
    pipeline.source(({"time": time, "objects": {"car": 3.0, "tram": 1.0}} for time in range(200)), "Frames")
    pipeline.add(detect, "Detect", replicas=2, max_attempts=10)
    pipeline.add(track, "Track")
    with pipeline.parallelize(results="all", block_output=True, max_restarts=1000) as running:
        results = [running.get_results() for _ in range(200)]
        restarts = sum(stage.restarts for stage in running.status().stages)
    assert track.positions == results[-1]
    print(f"{len(results)} frames, {restarts} restarts of the detector, last positions {results[-1]}")


if __name__ == "__main__":
    main()
