import unittest

import pystream

import stages


class LongestWordTest(unittest.TestCase):
    def test_gives_the_longest_word(self):
        self.assertEqual(stages.longest_word("a stream of items"), "stream")

    def test_gives_nothing_of_an_empty_line(self):
        self.assertEqual(stages.longest_word(""), "")

    def test_runs_in_a_worker(self):
        pipeline = pystream.Pipeline()
        pipeline.add(stages.longest_word, "Longest")
        with pipeline.parallelize(block_output=True, output_timeout=60):
            pipeline.forward("one three two")
            self.assertEqual(pipeline.get_results(), "three")


if __name__ == "__main__":
    unittest.main()
