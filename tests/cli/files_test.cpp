#include <sys/stat.h>

#include <filesystem>

#include "cli/run_files.hpp"

/// What runs read and write: inputs that are outputs, descriptors, folders.
namespace pystream::test {
namespace {

namespace fs = std::filesystem;

// ---- an output that is an input ----

TEST_F(FilesOfRuns, OutputThatIsTheInputIsRefusedByAnyName) {
  fs::create_hard_link(folder_ / "in.txt", folder_ / "hard.txt");
  fs::create_symlink("in.txt", folder_ / "soft.txt");
  fs::create_directory_symlink("sub", folder_ / "link");
  for (const std::string& output :
       {std::string("in.txt"), std::string("./in.txt"), std::string("sub/../in.txt"), std::string("link/../in.txt"),
        std::string("hard.txt"), std::string("soft.txt"), std::string(folder_ / "in.txt")}) {
    for (const char* command : {"run", "validate"}) {
      const ProgramRun sut = run(plan_of(lines_from("in.txt"), file_to("x")), {"--output", output}, command);
      EXPECT_EQ(sut.exit_code, 2) << command << " " << output << sut.err;
      EXPECT_CONTAINS(sut.err, "plan.json: /sink/params/path: found \"" + output + "\", which is the input of");
      EXPECT_EQ(folder_.read("in.txt"), kContent) << output;
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST_F(FilesOfRuns, StandardOutputThatIsTheInputIsRefused) {
  for (const char* line : {"$run >> in.txt", "$run --input - < in.txt >> in.txt", "$run --input - <> in.txt >&0",
                           "$run --output /dev/stdout >> in.txt", "$run --output in.txt --input - < in.txt"}) {
    const ProgramRun sut = shell(plan_of(lines_from("in.txt"), file_to("-")), line);
    EXPECT_EQ(sut.exit_code, 2) << line << sut.err;
    EXPECT_CONTAINS(sut.err, "which is the input of");
    EXPECT_EQ(folder_.read("in.txt"), kContent) << line;
  }
  EXPECT_EQ(shell(plan_of(lines_from("in.txt"), kStdout), "$run >> in.txt").exit_code, 2);
  EXPECT_EQ(folder_.read("in.txt"), kContent);
}

TEST_F(FilesOfRuns, TwoSinksThatWriteOneFileAreRefused) {
  const auto tapped = [](const std::string& one, const std::string& other) {
    return R"({"source": )" + lines_from("in.txt") +
           R"(, "stages": [{"name": "T", "mode": "branch", "join": "none", "stages": [{"name": "S", )" + one.substr(1) +
           R"(]}], "sink": )" + other + "}";
  };
  for (const char* command : {"run", "validate"}) {
    const ProgramRun sut = run(tapped(file_to("x"), file_to("./x")), {}, command);
    EXPECT_EQ(sut.exit_code, 2) << sut.err;
    EXPECT_CONTAINS(sut.err, "found \"./x\", which T.S also writes, expected an output for each sink");
  }
  EXPECT_EQ(run(tapped(file_to("x"), file_to("y")), {}).exit_code, 0);
  EXPECT_EQ(folder_.read("x"), folder_.read("y"));
  EXPECT_EQ(run(tapped(file_to("/dev/null"), file_to("/dev/null")), {}).exit_code, 0);
}

TEST_F(FilesOfRuns, OutputThatIsThePlanIsRefused) {
  const std::string plan = plan_of(lines_from("in.txt"), file_to("x"));
  EXPECT_EQ(run(plan, {"--output", "plan.json"}).exit_code, 2);
  EXPECT_EQ(folder_.read("plan.json"), plan);
}

TEST_F(FilesOfRuns, OutputAmongTheFilesOfAFolderIsRefused) {
  folder_.write("sub/a.txt", "a");
  struct Case {
    std::string source;
    std::string sink;
  };
  const std::vector<Case> refused{
      {files_from("sub"), file_to("sub/a.txt")},
      {files_from("sub"), file_to("sub/new.txt")},
      {files_from("sub", R"(, "pattern": "*.txt")"), file_to("./sub/new.txt")},
      {files_from(".", R"(, "recursive": true)"), file_to("sub/new.txt")},
      {files_from("sub"), folder_to("sub")},
      {files_from("sub", R"(, "pattern": "[0-9]*.out")"), folder_to("sub/")},
      {files_from(".", R"(, "recursive": true)"), folder_to("sub/new")},
      {files_from("sub/a.txt"), folder_to("sub", "{sequence}.{extension}")},
      {files_from("sub/000.out"), folder_to("sub")},
  };
  folder_.write("sub/000.out", "b");
  for (const Case& example : refused) {
    const ProgramRun sut = run(plan_of(example.source, example.sink));
    EXPECT_EQ(sut.exit_code, 2) << example.source << example.sink << sut.err;
    EXPECT_EQ(folder_.read("sub/a.txt") + folder_.read("sub/000.out"), "ab");
  }
  EXPECT_FALSE(fs::exists(folder_ / "sub/new.txt"));
  const std::vector<Case> fine{
      {files_from("sub"), file_to("new.txt")},
      {files_from("."), file_to("sub/new.out")},
      {files_from("sub", R"(, "pattern": "*.txt")"), file_to("sub/all.csv")},
      {files_from("sub", R"(, "pattern": "*.txt")"), folder_to("sub")},
      {files_from("sub/a.txt"), folder_to("sub")},
  };
  for (const Case& example : fine) {
    const ProgramRun sut = run(plan_of(example.source, example.sink));
    EXPECT_EQ(sut.exit_code, 0) << example.source << example.sink << sut.err;
  }
}

TEST_F(FilesOfRuns, OutputToWhichAnEntryOfAFolderLeadsIsRefused) {
  fs::create_directories(folder_ / "sub/deep");
  fs::create_directories(folder_ / "sub/.hidden");
  fs::create_directory(folder_ / "out");
  folder_.write("soft.txt", "soft");
  folder_.write("sub/hard", "hard");
  folder_.write("out/000.out", "item");
  fs::create_symlink("../soft.txt", folder_ / "sub/link");
  fs::create_hard_link(folder_ / "sub/hard", folder_ / "hard.txt");
  fs::create_symlink("../../in.txt", folder_ / "sub/deep/link");
  fs::create_symlink("../../new.txt", folder_ / "sub/.hidden/link");
  fs::create_symlink("../to-come.txt", folder_ / "sub/to-come");
  fs::create_symlink("sub/unborn.txt", folder_ / "unborn");
  fs::create_symlink("../out/000.out", folder_ / "sub/item");
  fs::create_symlink("../later/001.png", folder_ / "sub/later");
  fs::create_hard_link(folder_ / "sub/hard", folder_ / "out/001.out");
  const std::string deep = R"(, "recursive": true)";
  struct Case {
    std::string source;
    std::string sink;
    std::string found;  ///< or why it is fine
  };
  const std::vector<Case> refused{
      {files_from("sub"), file_to("soft.txt"), "\"soft.txt\", which is the input of Source (\"sub/link\")"},
      {files_from("sub"), file_to("hard.txt"), "\"hard.txt\", which is the input of Source (\"sub/hard\")"},
      {files_from("sub", deep), file_to("in.txt"), "which is the input of Source (\"sub/deep/link\")"},
      {files_from("sub"), file_to("to-come.txt"), "which is the input of Source (\"sub/to-come\")"},
      {files_from("sub"), file_to("unborn"), "where what is written could be read by Source"},
      {files_from("sub"), folder_to("out"), "where an item could replace the input of Source (\"sub/item\")"},
      {files_from("sub"), folder_to("later", "{sequence:03}.png"), "the input of Source (\"sub/later\")"},
  };
  for (const Case& example : refused) {
    for (const char* command : {"run", "validate"}) {
      const ProgramRun sut = run(plan_of(example.source, example.sink), {}, command);
      EXPECT_EQ(sut.exit_code, 2) << example.sink << sut.err;
      EXPECT_CONTAINS(sut.err, example.found);
    }
  }
  EXPECT_EQ(folder_.read("soft.txt") + folder_.read("hard.txt") + folder_.read("out/000.out"), "softharditem");
  EXPECT_EQ(folder_.read("in.txt"), kContent);
  EXPECT_FALSE(fs::exists(folder_ / "to-come.txt") || fs::exists(folder_ / "sub/unborn.txt"));
  const std::vector<Case> fine{
      {files_from("sub", R"(, "pattern": "l*")"), file_to("hard.txt"), ""},
      {files_from("sub"), file_to("in.txt"), ""},
      {files_from("sub", deep), file_to("new.txt"), "hidden folders are not read"},
      {files_from("sub", R"(, "pattern": "h*")"), folder_to("out"), "an item takes the place of a hard link"},
      {files_from("sub", R"(, "pattern": "item")"), folder_to("out", "x{sequence:03}.out"), ""},
  };
  for (const Case& example : fine) {
    EXPECT_EQ(run(plan_of(example.source, example.sink), {}, "validate").exit_code, 0) << example.sink << example.found;
  }
}

/// A link that is put there when the run has begun.
TEST_F(FilesOfRuns, EntryThatBecomesALinkToTheOutputIsAnError) {
  for (int i = 100; i < 150; ++i) {
    folder_.write("sub/" + std::to_string(i), "item");
  }
  const std::string waits = R"({"source": )" + files_from("sub") +
                            R"(, "links": {"capacity": {"items": 1}}, "profiler": {"enabled": false},
      "stages": [{"type": "exec", "params": {"in_flight": 1, "command": ["sh", "-c",
        "while read line; do touch begun; until [ -e go ]; do sleep 0.02; done; echo $line; done"]}}], "sink": )";
  for (const auto& [sink, target] :
       {std::pair(file_to("out.txt"), "out.txt"), std::pair(folder_to("out"), "out/000.out")}) {
    const ProgramRun sut = shell(waits + sink + "}",
                                 "rm -f begun go sub/149; printf item > sub/149; "
                                 "$run -q & until [ -e begun ]; do sleep 0.02; done; "
                                 "ln -sf ../" +
                                     std::string(target) + " sub/149; touch go; wait $!");
    EXPECT_EQ(sut.exit_code, 1) << sut.err;
    EXPECT_CONTAINS(sut.err, "sub/149 is an output of this run");
  }
}

TEST_F(FilesOfRuns, StandardOutputInAFolderThatIsReadIsRefused) {
  folder_.write("sub/a.txt", "a\n");
  const ProgramRun sut = shell(plan_of(files_from("sub"), kStdout), "$run -q > sub/all.txt");
  EXPECT_EQ(sut.exit_code, 2) << sut.err;
  EXPECT_EQ(shell(plan_of(files_from("sub", R"(, "pattern": "a*")"), kStdout), "$run -q > sub/x").exit_code, 0);
}

TEST_F(FilesOfRuns, ListedFileThatIsTheOutputIsAnError) {
  folder_.write("sub/a.txt", "a\n");
  for (const char* line :
       {"ls sub/*.txt in.txt | $run -q --output in.txt", "echo in.txt | $run -q --output - >> in.txt"}) {
    const ProgramRun sut = shell(plan_of(files_from("-"), file_to("x")), line);
    EXPECT_EQ(sut.exit_code, 1) << line << sut.err;
    EXPECT_CONTAINS(sut.err, "in.txt is an output of this run");
  }
}

TEST_F(FilesOfRuns, ListedFileThatAnItemCouldReplaceIsAnError) {
  fs::create_directory_symlink("sub", folder_ / "link");
  fs::create_symlink("sub/000007.txt", folder_ / "soft.txt");
  fs::create_symlink("../in.txt", folder_ / "sub/000008.txt");
  const std::string six = "{sequence:06}.txt";
  const std::string longest = std::string(60, 'x') + "{sequence}.txt";
  struct Case {
    std::string pattern;
    std::string file;   ///< what is there
    std::string named;  ///< what the list says
  };
  const std::vector<Case> refused{
      {six, "sub/000007.txt", "sub/000007.txt"},
      {six, "sub/000007.txt", folder_ / "sub/../sub/000007.txt"},
      {six, "sub/000007.txt", "link/000007.txt"},
      {six, "sub/000007.txt", "soft.txt"},
      {six, "sub/000007-12.txt", "sub/000007-12.txt"},
      {six, "in.txt", "sub/000008.txt"},
      {"{sequence}{part:02}.{extension}", "sub/701.png", "sub/701.png"},
      {"%*{sequence}", "sub/%*7", "sub/%*7"},
      {longest, "sub/" + std::string(60, 'x') + "7.txt", "sub/" + std::string(60, 'x') + "7.txt"},
  };
  for (const Case& example : refused) {
    folder_.write(example.file, "kept");
    const ProgramRun sut =
        shell(plan_of(files_from("-"), folder_to("sub", example.pattern)), "echo '" + example.named + "' | $run -q");
    EXPECT_EQ(sut.exit_code, 1) << example.named << sut.err;
    EXPECT_CONTAINS(sut.err, example.named + " is an output of this run");
    EXPECT_EQ(folder_.read(example.file), "kept") << example.named;
  }
  const std::vector<Case> fine{
      {six, "sub/7.txt", "sub/7.txt"},
      {six, "sub/000007.png", "sub/000007.png"},
      {six, "sub/a000007.txt", "link/a000007.txt"},
      {six, "000007.txt", "000007.txt"},
      {"{sequence}-{part}.txt", "sub/7.txt", "sub/7.txt"},
  };
  for (const Case& example : fine) {
    folder_.write(example.file, "kept");
    const ProgramRun sut =
        shell(plan_of(files_from("-"), folder_to("sub", example.pattern)), "echo '" + example.named + "' | $run -q");
    EXPECT_EQ(sut.exit_code, 0) << example.named << sut.err;
  }
}

TEST_F(FilesOfRuns, ListOfTheFilesInTheOutputFolderDestroysNone) {
  for (int i = 0; i < 300; ++i) {
    folder_.write("sub/" + std::to_string(1000 + i).substr(1) + ".out", "input " + std::to_string(i));
  }
  const ProgramRun sut = shell(plan_of(files_from("-"), folder_to("sub")), "ls -r sub/* | $run -q");
  EXPECT_EQ(sut.exit_code, 1) << sut.err;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(folder_.read("sub/" + std::to_string(1000 + i).substr(1) + ".out"), "input " + std::to_string(i));
  }
}

/// Two new file systems number their files alike.
TEST_F(FilesOfRuns, ListedFileWithTheOutputsInodeOnAnotherFileSystemIsRead) {
  if (run_program({"unshare", "-rm", "true"}).exit_code != 0) {
    GTEST_SKIP() << "no namespace of mounts is to be had here";
  }
  fs::create_directory(folder_ / "a");
  fs::create_directory(folder_ / "b");
  folder_.write("plan.json", plan_of(files_from("-"), file_to("b/out")));
  folder_.write("try.sh",
                "mount -t tmpfs none a; mount -t tmpfs none b; printf content > a/in; touch b/out; "
                "[ $(stat -c %i a/in) = $(stat -c %i b/out) ] || exit 77; "
                "echo a/in | " PYSTREAM_TEST_COORD
                " run -q plan.json || exit; cat b/out; "
                "echo b/out | " PYSTREAM_TEST_COORD " run -q plan.json; echo code $?");
  const ProgramRun sut = run_program({"unshare", "-rm", "sh", "try.sh"}, {.directory = folder_.path()});
  if (sut.exit_code == 77) {
    GTEST_SKIP() << "new file systems number their files differently here";
  }
  EXPECT_EQ(sut.out, "content\ncode 1\n") << sut.err;
  EXPECT_CONTAINS(sut.err, "b/out is an output of this run");
}

TEST_F(FilesOfRuns, DevicesMayBeBoth) {
  EXPECT_EQ(run(plan_of(lines_from("/dev/null"), file_to("/dev/null"))).exit_code, 0);
  EXPECT_EQ(shell(plan_of(lines_from("-"), kStdout), "$run < /dev/null > /dev/null").exit_code, 0);
}

// ---- descriptors ----

TEST_F(FilesOfRuns, DescriptorsAreHandedToTheWorkers) {
  const std::string plan = plan_of(lines_from("-"), file_to("-"));
  const std::vector<std::string> lines{
      "$run -q --input <(cat in.txt) > out.txt",
      "$run -q --input /dev/fd/7 7< in.txt > out.txt",
      "$run -q --input /proc/self/fd/3 3< in.txt > out.txt",
      "$run -q --input /dev/stdin < in.txt > out.txt",
      "$run -q --output /dev/fd/5 < in.txt 5> out.txt",
      "$run -q --output /dev/stdout < in.txt > out.txt",
      "ln -s /dev/stdout log; $run -q --output log < in.txt > out.txt",
      "cat in.txt | $run -q --input /dev/fd/0 --output /dev/fd/4 4> out.txt",
      "$run -q --output >(cat > out.tmp; mv out.tmp out.txt) < in.txt; until [ -e out.txt ]; do sleep 0.02; done",
  };
  for (const std::string& line : lines) {
    fs::remove(folder_ / "out.txt");
    const ProgramRun sut = shell(plan, line);
    EXPECT_EQ(sut.exit_code, 0) << line << "\n" << sut.err;
    EXPECT_EQ(folder_.read("out.txt"), kContent) << line;
  }
}

TEST_F(FilesOfRuns, DescriptorIsWrittenWhereItStands) {
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), file_to("-")),
                               "{ echo before; $run -q; $run -q --output /dev/fd/1; echo behind; } > out.txt");
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(folder_.read("out.txt"), std::string("before\n") + kContent + kContent + "behind\n");
}

/// In a worker its number would be the shared memory, or a descriptor that another stage was handed.
TEST_F(FilesOfRuns, DescriptorThatIsNotOpenIsAnError) {
  const std::string plan = plan_of(lines_from("in.txt"), file_to("out.txt"));
  const std::vector<std::pair<std::string, std::string>> lines{
      {"$run -q --input /dev/fd/77 77<&-", "/source/params/path: found \"/dev/fd/77\""},
      {"$run -q --output /dev/fd/3 3>&-", "/sink/params/path: found \"/dev/fd/3\""},
      {"$run -q --output /dev/fd/4 4>&-", "/sink/params/path: found \"/dev/fd/4\""},
      {"ln -s /dev/fd/3 link; $run -q --output link 3>&-", "/sink/params/path: found \"link\""},
      {"$run -q --input /dev/fd/7 --output /dev/fd/10 7< in.txt 10>&-", "found \"/dev/fd/10\""},
  };
  for (const auto& [line, found] : lines) {
    const ProgramRun sut = shell(plan, line);
    EXPECT_EQ(sut.exit_code, 2) << line << sut.err;
    EXPECT_CONTAINS(sut.err, found + ", a descriptor that is not open");
  }
  EXPECT_EQ(shell(plan_of(lines_from("in.txt"), file_to("/dev/fd/3")), "$run -q 3> out.txt").exit_code, 0);
  EXPECT_EQ(folder_.read("out.txt"), kContent);
}

// ---- a FIFO that nobody reads ----

TEST_F(FilesOfRuns, FifoWithoutAReaderIsWaitedForWithoutRestarts) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), file_to("fifo")),
                               "$run 2> log & pid=$!; until grep -q 'waiting until somebody reads the FIFO' log; do "
                               "sleep 0.02; done; cat fifo > out.txt; wait $pid; echo \"code $?\"; cat log >&2");
  EXPECT_EQ(sut.out, "code 0\n") << sut.err;
  EXPECT_EQ(folder_.read("out.txt"), kContent);
  EXPECT_FALSE(contains(sut.err, "is restarted")) << sut.err;
}

TEST_F(FilesOfRuns, FifoWithoutAReaderDoesNotHoldUpADrain) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const ProgramRun sut = shell(plan_of(lines_from("in.txt"), file_to("fifo")),
                               "$run 2> log & pid=$!; until grep -q 'waiting until somebody reads the FIFO' log; do "
                               "sleep 0.02; done; kill $pid; wait $pid; echo \"code $?\"; cat log >&2");
  EXPECT_EQ(sut.out, "code 1\n") << sut.err;
  EXPECT_CONTAINS(sut.err, "nobody has opened the FIFO fifo for reading");
}

/// Its writer goes on, what it still had to say comes out, and the end is found.
TEST_F(FilesOfRuns, FifoThatIsReadOutlivesTheSourcesWorker) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const ProgramRun sut =
      shell(plan_of(lines_from("fifo"), file_to("out.txt"), "100us"),
            "(seq 1 40000 > fifo; echo \"writer $?\") & writer=$!; $run 2> log & pid=$!; "
            "until [ -s out.txt ]; do sleep 0.02; done; set -- $(cat /proc/$pid/task/$pid/children); kill -9 $1; "
            "wait $writer; wait $pid; echo \"code $?\"; cat log >&2");
  EXPECT_EQ(sut.out, "writer 0\ncode 3\n") << sut.err;
  EXPECT_CONTAINS(sut.err, "Source was killed");
  const std::string out = folder_.read("out.txt");
  EXPECT_TRUE(out.ends_with("\n40000\n")) << out.substr(out.size() - std::min<std::size_t>(out.size(), 40));
}

TEST_F(FilesOfRuns, ListedFifoIsLeftOutAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const std::string line = "printf 'in.txt\\nfifo\\n/dev/zero\\nin.txt\\n' | $run -q";
  const std::string skipping = R"({"type": "files", "on_error": "skip", "params": {"path": "-"}})";
  const ProgramRun sut = shell(plan_of(skipping, kStdout), line);
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, std::string(kContent) + kContent);
  const ProgramRun failing = shell(plan_of(files_from("fifo"), kStdout), "$run -q");
  EXPECT_EQ(failing.exit_code, 1);
  EXPECT_CONTAINS(failing.err, "/fifo) is a FIFO or pipe; expected a regular file");
}

// ---- --output and folders ----

TEST_F(FilesOfRuns, RunThatFailsAtItsStartLeavesNoEmptyOutput) {
  const std::string plan = R"({"source": )" + lines_from("in.txt") +
                           R"(, "stages": [{"type": "exec", "params": {"command": ["no-such-program"]}}], "sink": )";
  const std::string rest = R"(, "profiler": {"enabled": false}})";
  folder_.write("old.txt", "");
  for (const std::string& sink :
       {file_to("new.txt"), file_to("old.txt"), folder_to("new/deep"), folder_to("new"), folder_to("sub/new")}) {
    EXPECT_EQ(run(plan + sink + rest, {"-q"}).exit_code, 1) << sink;
    EXPECT_FALSE(fs::exists(folder_ / "new.txt") || fs::exists(folder_ / "new") || fs::exists(folder_ / "sub/new"));
  }
  EXPECT_TRUE(fs::exists(folder_ / "old.txt") && fs::exists(folder_ / "sub")) << "they were there before";
}

TEST_F(FilesOfRuns, OutputIsAFolderWhereThePlanHasOne) {
  const std::string plan = plan_of(lines_from("in.txt"), folder_to("unused"));
  for (const char* output : {"new", "new/", "deep/new", "sub"}) {
    EXPECT_EQ(run(plan, {"-q", "--output", output}).exit_code, 0) << output;
    EXPECT_EQ(folder_.read(std::string(output) + "/001.out"), "two") << output;
  }
  EXPECT_FALSE(fs::exists(folder_ / "unused"));
  folder_.write("file", "kept");
  const ProgramRun sut = run(plan, {"-q", "--output", "file"});
  EXPECT_EQ(sut.exit_code, 2);
  EXPECT_CONTAINS(sut.err, "--output: found the file \"file\", expected a directory");
  EXPECT_EQ(folder_.read("file"), "kept");
  EXPECT_EQ(run(plan, {"-q", "--output", "-"}).out, kContent);
}

TEST_F(FilesOfRuns, OutputIsAFileWhereThePlanHasOne) {
  const std::string plan = plan_of(lines_from("in.txt"), file_to("unused"));
  EXPECT_EQ(run(plan, {"-q", "--output", "new"}).exit_code, 0);
  EXPECT_EQ(folder_.read("new"), kContent);
  EXPECT_EQ(run(plan, {"-q", "--output", "made/"}).exit_code, 0);
  EXPECT_TRUE(fs::is_directory(folder_ / "made"));
}

// ---- folders that are read ----

TEST_F(FilesOfRuns, PatternThatMatchesNothingFailsTheRun) {
  folder_.write("out.txt", "kept");
  const ProgramRun sut = run(plan_of(files_from("sub", R"(, "pattern": "*.txt")"), file_to("out.txt")), {"-q"});
  EXPECT_EQ(sut.exit_code, 1);
  EXPECT_CONTAINS(sut.err, "no file in sub matches *.txt");
  EXPECT_EQ(folder_.read("out.txt"), "kept");
  EXPECT_EQ(run(plan_of(files_from("sub", R"(, "when_empty": "end")"), file_to("out.txt")), {"-q"}).exit_code, 0);
  EXPECT_EQ(folder_.read("out.txt"), "");
}

TEST_F(FilesOfRuns, PathsComeOutALineEach) {
  folder_.write("sub/a", "content");
  folder_.write("sub/b", "content");
  const std::string paths = "sub/a\nsub/b\n";
  const std::string to_file = R"({"type": "file_writer", "params": {"path": "out"}})";
  EXPECT_EQ(run(plan_of(files_from("sub", R"(, "emit": "path")"), to_file), {"-q"}).exit_code, 0);
  EXPECT_EQ(folder_.read("out"), paths);
  EXPECT_EQ(run(plan_of(files_from("sub", R"(, "emit": "path")"), kStdout), {"-q"}).out, paths);
  EXPECT_EQ(run(plan_of(files_from("sub"), kStdout), {"-q"}).out, "contentcontent");
}

TEST_F(FilesOfRuns, NulInAPathIsRefused) {
  folder_.write("secret", "secret\n");
  const std::string plan = plan_of(lines_from("secret\\u0000.txt"), file_to("out.txt"));
  for (const char* command : {"run", "validate"}) {
    const ProgramRun sut = run(plan, {}, command);
    EXPECT_EQ(sut.exit_code, 2) << command;
    EXPECT_CONTAINS(sut.err, "plan.json: /source/params/path: found \"secret\\u0000.txt\", expected text without");
  }
  EXPECT_FALSE(fs::exists(folder_ / "out.txt"));
  const ProgramRun sut = run(plan_of(lines_from("in.txt"), file_to("out.txt")), {"--set", "Sink.path=\"x\\u0000y\""});
  EXPECT_EQ(sut.exit_code, 2);
  EXPECT_CONTAINS(sut.err, "without the character NUL");
}

}  // namespace
}  // namespace pystream::test
