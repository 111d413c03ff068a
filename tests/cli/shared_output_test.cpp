#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/run_files.hpp"

/// Two runs and one output, and others who write there.
namespace pystream::test {
namespace {

using SharedOutput = FilesOfRuns;

/// A source that waits for a FIFO keeps the run going until the test writes there.
TEST_F(SharedOutput, SecondRunOnOneOutputIsRefusedWithTheFirstOnesPid) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const ProgramRun sut = shell(plan_of(lines_from("fifo"), file_to("out.txt")),
                               "exec 9<> fifo; $run -q 9>&- & echo $! > pid; echo first >&9; "
                               "until grep -q first out.txt 2> /dev/null; do sleep 0.02; done; "
                               "$run -q --input in.txt; echo \"code $?\"; "
                               "$run -q --input in.txt --output ./sub/../out.txt 2> /dev/null; echo \"code $?\"; "
                               "$run -q --input in.txt --output other.txt; echo \"code $?\"; "
                               "$run -q --input in.txt >> out.txt --output -; echo \"code $?\"; "
                               "kill $(cat pid); wait $(cat pid); echo \"first $?\"; "
                               "$run -q --input in.txt; echo \"code $?\"");
  EXPECT_EQ(sut.out, "code 1\ncode 1\ncode 0\ncode 1\nfirst 0\ncode 0\n") << sut.err;
  const std::string pid = folder_.read("pid");
  EXPECT_CONTAINS(sut.err, "out.txt is being written by another run (pid " + pid.substr(0, pid.size() - 1) + ")");
  EXPECT_EQ(folder_.read("out.txt"), kContent);
}

TEST_F(SharedOutput, SecondRunThatCouldReplaceAFileOfTheFirstIsRefused) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  folder_.write("file.json", plan_of(lines_from("in.txt"), file_to("sub/000005.txt")));
  folder_.write("folder.json", plan_of(lines_from("in.txt"), folder_to("unused", "{sequence:006}.txt")));
  const std::string tries =
      "for output in sub ./sub/../sub other; do "
      "$run_folder -q --output $output; echo \"folder $?\"; done; "
      "for output in sub/000005.txt sub/1-2.txt sub/000005.png; do "
      "$run_file -q --output $output; echo \"file $?\"; done; "
      "$run_file -q --output - >> sub/000007.txt; echo \"file $?\"; ";
  const ProgramRun sut = shell(plan_of(lines_from("fifo"), folder_to("sub", "{sequence:06}.txt")),
                               "run_file='" PYSTREAM_TEST_COORD
                               " run file.json'; "
                               "run_folder='" PYSTREAM_TEST_COORD
                               " run folder.json'; "
                               "exec 9<> fifo; $run -q 9>&- & echo $! > pid; echo first >&9; "
                               "until [ -e sub/000000.txt ]; do sleep 0.02; done; " +
                                   tries + "kill $(cat pid); wait $(cat pid); echo \"first $?\"; ls sub; " + tries);
  EXPECT_EQ(sut.out,
            "folder 1\nfolder 1\nfolder 0\nfile 1\nfile 0\nfile 0\nfile 1\nfirst 0\n"
            "000000.txt\n000005.png\n000005.txt\n000007.txt\n1-2.txt\n"
            "folder 0\nfolder 0\nfolder 0\nfile 0\nfile 0\nfile 0\nfile 0\n")
      << sut.err;
  const std::string pid = folder_.read("pid");
  const std::string by_the_first = " is being written by another run (pid " + pid.substr(0, pid.size() - 1) + ")";
  EXPECT_CONTAINS(sut.err, "sub ({sequence:006}.txt)" + by_the_first);
  EXPECT_CONTAINS(sut.err, "sub/000005.txt" + by_the_first);
}

TEST_F(SharedOutput, FolderWithAFileOfAnotherRunIsRefused) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  folder_.write("folder.json", plan_of(lines_from("in.txt"), folder_to("sub", "{sequence:06}.txt")));
  const ProgramRun sut =
      shell(plan_of(lines_from("fifo"), file_to("sub/000001.txt")),
            "exec 9<> fifo; $run -q 9>&- & pid=$!; echo first >&9; "
            "until grep -q first sub/000001.txt 2> /dev/null; do sleep 0.02; done; " PYSTREAM_TEST_COORD
            " run -q folder.json; echo \"folder $?\"; kill $pid; wait $pid; echo \"first $?\"");
  EXPECT_EQ(sut.out, "folder 1\nfirst 0\n") << sut.err;
  EXPECT_EQ(folder_.read("sub/000001.txt"), "first\n");
}

TEST_F(SharedOutput, RunsMayShareStandardOutput) {
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), kStdout),
                               "for i in 1 2 3 4; do printf \"a$i\\nb$i\\n\" > in.$i; done; "
                               "printf '%s\\n' in.1 in.2 in.3 in.4 | xargs -P4 -n1 $run -q --input > shared; "
                               "$run -q --input in.1 >> shared & $run -q --input in.2 >> shared; wait");
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sorted_lines(folder_.read("shared")),
            (std::vector<std::string>{"a1", "a1", "a2", "a2", "a3", "a4", "b1", "b1", "b2", "b2", "b3", "b4"}));
}

/// Kills the sink three times while it appends to a log; `beside` is what the shell does meanwhile.
constexpr const char* kKilled =
    "echo before > log; seq 1500 > in.txt; BESIDE $run -q >> log & pid=$!; "
    "for lines in 200 500 800; do "
    "until [ $(grep -c '^[0-9]' log) -ge $lines ]; do sleep 0.01; done; "
    "set -- $(cat /proc/$pid/task/$pid/children); kill -9 ${!#}; done; "
    "wait $pid; echo \"code $?\"; wait";

std::string killed_beside(const std::string& what) {
  std::string line = kKilled;
  return line.replace(line.find("BESIDE"), 6, what);
}

TEST_F(SharedOutput, LogOfOnesOwnIsExactOverKills) {
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), kStdout, "1ms"), killed_beside(""));
  EXPECT_EQ(sut.out, "code 0\n") << sut.err;
  EXPECT_EQ(folder_.read("log"), "before\n" + folder_.read("in.txt"));
}

TEST_F(SharedOutput, SharedLogLosesNothingOverKills) {
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), kStdout, "1ms"),
                               killed_beside("for i in $(seq 300); do echo foreign $i >> log; sleep 0.004; done &"));
  EXPECT_EQ(sut.out, "code 0\n") << sut.err;
  std::vector<std::string> expected = sorted_lines(folder_.read("in.txt"));
  expected.push_back("before");
  for (int i = 1; i <= 300; ++i) {
    expected.push_back("foreign " + std::to_string(i));
  }
  std::ranges::sort(expected);
  std::vector<std::string> found = sorted_lines(folder_.read("log"));
  found.erase(std::unique(found.begin(), found.end()), found.end());  // at least once
  EXPECT_EQ(found, expected);
}

TEST_F(SharedOutput, ForeignFileInThePlaceOfTheOutputIsLeftAsItIs) {
  folder_.write("foreign", std::string(100'000, 'f'));
  const ProgramRun sut =
      shell(plan_of(lines_from("in.txt"), file_to("out.txt"), "1ms"),
            "seq 3000 > in.txt; $run -q & pid=$!; until grep -q 50 out.txt 2> /dev/null; do sleep 0.01; done; "
            "mv out.txt mine; mv foreign out.txt; set -- $(cat /proc/$pid/task/$pid/children); kill -9 ${!#}; "
            "wait $pid; echo \"code $?\"");
  EXPECT_EQ(sut.out, "code 1\n") << sut.err;
  EXPECT_CONTAINS(sut.err, "out.txt is not the file that was written before the restart");
  EXPECT_EQ(folder_.read("out.txt"), std::string(100'000, 'f'));
}

}  // namespace
}  // namespace pystream::test
