"""A serial pipeline in a parallel one: two light stages share a worker, the heavy ones have workers of their own."""

import time

import pystream


class Work(pystream.Stage):
    """Stands for a stage that takes its time, and notes in the item that it was there."""

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def __call__(self, data):
        time.sleep(self.milliseconds / 1000)
        return {**data, self.name: self.milliseconds}

    def cleanup(self):
        print(f"{self.name} has ended")


def main():
    light = pystream.Pipeline()
    light.add(Work(1), "Crop")
    light.add(Work(1), "Scale")

    pipeline = pystream.Pipeline(input_generator=lambda: {"time": time.time()}, use_profiler=True)
    pipeline.add(Work(5), "Grab")
    pipeline.add(light.serialize().as_stage(), "Prepare")
    pipeline.add(Work(5), "Detect")
    pipeline.parallelize(block_output=True)

    pipeline.start_loop(0.005)
    for _ in range(20):
        result = pipeline.get_results()
        assert [name for name in result if name != "time"] == ["Grab", "Crop", "Scale", "Detect"]
    pipeline.stop_loop()
    print(f"the last result is {1000 * (time.time() - result['time']):.0f} ms old")
    pipeline.cleanup()

    latency, throughput = pipeline.get_profiles()
    for key in sorted(latency):
        print(f"{key:40} {1000 * latency[key]:8.2f} ms {throughput[key]:8.1f} items/s")


if __name__ == "__main__":
    main()
