"""Five stages of image convolutions: what a second core is worth to them.

convolution.py [ITEMS [CONVOLUTIONS]]     (needs OpenCV: Debian's python3-opencv)
"""

import sys
import time

import cv2
import numpy as np

import pystream

STAGES = 5


class Convolution(pystream.Stage):
    """Convolves the image several times with a kernel of its own."""

    def __init__(self, seed, convolutions):
        self.kernel = np.random.default_rng(seed).uniform(-0.1, 0.1, (5, 5)).astype(np.float32)
        self.convolutions = convolutions
        self.images = 0

    def __call__(self, image):
        for _ in range(self.convolutions):
            image = cv2.filter2D(image, -1, self.kernel)
        self.images += 1
        return image

    def cleanup(self):
        print(f"{self.name} has seen {self.images} images")


def make(convolutions):
    pipeline = pystream.Pipeline()
    for number in range(STAGES):
        pipeline.add(Convolution(number, convolutions), f"Convolution{number + 1}", zero_copy=True)
    return pipeline


def run(pipeline, images):
    """Seconds from the first image to the last result, and the results."""
    results = []
    began = time.perf_counter()
    for sent, image in enumerate(images, 1):
        pipeline.forward(image)
        while sent - len(results) > 2 * STAGES:  # as many as fit inside
            results += pipeline.get_all_results()
    while len(results) < len(images):
        results += pipeline.get_all_results()
    return time.perf_counter() - began, results


def main():
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    convolutions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cv2.setNumThreads(1)  # the pipeline is what runs in parallel
    generator = np.random.default_rng(7)
    images = [generator.integers(0, 255, (480, 720, 3), dtype=np.uint8) for _ in range(items)]
    with make(convolutions).serialize(results="all") as serial:
        serial_seconds, expected = run(serial, images)
    with make(convolutions).parallelize(results="all", block_output=True, output_timeout=60) as parallel:
        parallel_seconds, results = run(parallel, images)
    assert all(np.array_equal(one, other) for one, other in zip(expected, results))
    print(f"serial    {items / serial_seconds:.1f} images/s")
    print(f"parallel  {items / parallel_seconds:.1f} images/s, {serial_seconds / parallel_seconds:.2f} times as many")


if __name__ == "__main__":
    main()
