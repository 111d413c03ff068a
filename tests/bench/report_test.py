#!/usr/bin/env python3
"""scripts/bench_report.py on small results: report_test.py SOURCE_ROOT"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1))
SCRIPT = ROOT / "scripts" / "bench_report.py"
spec = importlib.util.spec_from_file_location("bench_report", SCRIPT)
report = importlib.util.module_from_spec(spec)
sys.modules["bench_report"] = report
spec.loader.exec_module(report)


def chain(pystream, bare, missing=()):
    return {"work": "chain", "short": True, "missing": list(missing), "series": [
        {"subject": "64 B", "unit": "items/s", "contender": "pystream, typed", "values": pystream},
        {"subject": "64 B", "unit": "items/s", "contender": "bare chain", "values": bare}]}


def bare_row():
    return next(row for row in report.ROWS if row.work == "the same over the bare chain of 5 processes")


class ReportTest(unittest.TestCase):
    def test_compares_round_by_round_as_the_machine_may_change_in_between(self):
        sut = report.Results([chain([80, 20, 30, 100], [100, 25, 40, 200])])
        figure = bare_row().compute(sut)
        self.assertAlmostEqual(figure.value, 0.775)
        self.assertAlmostEqual(figure.low, 0.5)
        self.assertAlmostEqual(figure.high, 0.8)

    def test_compares_medians_of_what_did_not_take_turns(self):
        row = next(row for row in report.PEERS if "GStreamer" in row.work)
        peers = {"work": "peers", "short": True, "missing": [], "series": [
            {"subject": "chain of 5", "unit": "items/s", "contender": "GStreamer", "values": [10, 40]}]}
        figure = row.compute(report.Results([chain([50, 100, 200], [1, 1, 1]), peers]))
        self.assertEqual((figure.value, figure.low, figure.high), (4, 1.25, 20))

    def test_says_whether_a_target_is_met(self):
        met = report.row_cells(bare_row(), report.Results([chain([75], [100])]))
        missed = report.row_cells(bare_row(), report.Results([chain([74], [100])]))
        self.assertEqual(met[3], "yes")
        self.assertEqual(missed[3], "**no**")

    def test_a_time_must_stay_below_its_target(self):
        row = next(row for row in report.ROWS if row.work.startswith("one hop, the receiver asleep"))
        self.assertEqual(row.met(report.Figure(1.1, 1, 1.2)), "yes")
        self.assertEqual(row.met(report.Figure(1.2, 1, 1.2)), "**no**")

    def test_the_dearest_of_several_over_the_cheapest(self):
        document = {"work": "many", "short": True, "missing": [], "series": [
            {"subject": "in a row", "unit": "ns of CPU/hop", "contender": name, "values": values}
            for name, values in (("4 workers", [10, 10, 10]), ("16 workers", [12, 15, 20]))]}
        figure = report.spread_over("many", "in a row", ["4 workers", "16 workers"])(report.Results([document]))
        self.assertEqual((figure.value, figure.low, figure.high), (1.5, 1.2, 2))

    def test_where_rounds_scatter_the_interval_of_the_median_stands_beside_it(self):
        document = {"work": "profile", "short": True, "missing": [], "series": [
            {"subject": "two 1 us stages", "unit": "% fewer items/s", "contender": "with a profile",
             "values": [-5, 1.25, 1.5, 1.75, 9], "interval": [1.25, 1.75]}]}
        row = next(row for row in report.ROWS if row.work.startswith("profile of two"))
        self.assertEqual(report.row_cells(row, report.Results([document]))[2:], ["1.5 (1.25–1.75) %", "yes"])

    def test_names_what_was_not_measured(self):
        sut = report.Results([chain([1], [1], ["oneTBB (libtbb-dev)"])])
        cells = [report.row_cells(row, sut) for row in report.ROWS]
        self.assertIn("not measured: oneTBB, by value (chain, 64 B)", cells[0][2])
        self.assertTrue(all(len(row) == 4 for row in cells))
        self.assertIn("Not installed, so not measured: oneTBB (libtbb-dev).", report.report_text(sut, "", None))

    def test_the_faster_of_two_forms_of_a_peer_counts(self):
        document = chain([100], [100])
        for contender, value in (("oneTBB, by value", 10), ("oneTBB, pointers", 50)):
            document["series"].append(
                {"subject": "64 B", "unit": "items/s", "contender": contender, "values": [value]})
        self.assertAlmostEqual(report.ROWS[0].compute(report.Results([document])).value, 2)

    def test_calls_a_change_one_only_if_the_ranges_are_apart(self):
        old = report.Results([chain([10, 11], [100, 120])])
        new = report.Results([chain([12, 13], [110, 130])])
        lines = report.comparison(new, old).splitlines()[2:]
        self.assertTrue(lines[0].endswith("| yes |"), lines[0])
        self.assertTrue(lines[1].endswith("|  |"), lines[1])

    def test_names_rows_of_the_readme_that_exist(self):
        self.assertLessEqual(set(report.README_WORK), {row.work for row in report.ROWS})

    def test_writes_all_files_the_readme_and_the_page(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "chain.json").write_text(json.dumps(chain([80], [100])))
            readme, page = folder / "README.md", folder / "page.md"
            for file in (readme, page):
                file.write_text(f"before\n{report.PERFORMANCE_BEGIN}\nold\n{report.PERFORMANCE_END}\nafter\n")
            subprocess.run([SCRIPT, folder, "--readme", readme, "--page", page], check=True, stdout=subprocess.DEVNULL)
            for file, rows in ((readme, len(report.README_WORK)), (page, len(report.ROWS))):
                text = file.read_text()
                self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
                self.assertNotIn("old", text)
                self.assertIn("| 0.8 (0.8–0.8) × | yes |", text)
                self.assertEqual(text.count("\n|"), rows + 2)
            # What one run wrote is what the next one compares with.
            done = subprocess.run([SCRIPT, folder, "--compare", folder / "results.json"], check=True,
                                  capture_output=True, text=True)
            self.assertIn("+0.0%", done.stdout)


if __name__ == "__main__":
    unittest.main()
