#include <algorithm>
#include <filesystem>
#include <future>
#include <thread>

#include "cli/coord_program.hpp"

/// Parts of a plan over several hosts on one machine, with files in place of streams (plugins/fake_log.cpp).
namespace pystream::test {
namespace {

namespace fs = std::filesystem;

class Hosts : public testing::Test {
 protected:
  Hosts() {
    fs::create_directory(folder_ / "log");
    write_input(0, 200);
    folder_.write("plan.json", plan());
  }
  void write_input(int first, int end) {
    std::string lines;
    for (int i = first; i < end; ++i) {
      lines += std::to_string(i) + "\n";
    }
    folder_.write("in.txt", lines);
  }
  /// Three hosts: the source and Add on "main", Mix on "gpu", the sink on "store".
  std::string plan(const std::string& mix = R"("type": "test.mix")", const std::string& more = "") const {
    return R"({"name": "people", "plugins": [")" + odd_plugin("fake_log") + R"(", "libpystream_testing.so"],
      "cluster": {"log": "nats://)" +
           (folder_ / "log") + "\"" + more + R"(},
      "source": {"type": "lines", "params": {"path": "in.txt"}},
      "stages": [{"name": "Add", "type": "wait", "params": {"time": "0s"}}, {"name": "Mix", "host": "gpu", )" +
           mix + R"(}],
      "sink": {"type": "file_writer", "host": "store", "params": {"newline": "always", "path": "out.txt"}},
      "profiler": {"enabled": false}})";
  }
  ProgramRun run(std::vector<std::string> options) const {
    options.insert(options.begin(), {"run", "plan.json"});
    return coord(options, {.directory = folder_.path()});
  }
  /// The last record of a stream says that no item follows.
  bool has_end(const std::string& stream) const {
    return folder_.read("log/" + stream).ends_with(std::string(4, '\xff') + std::string(12, '\0'));
  }
  std::string output(const std::string& file = "out.txt") const { return folder_.read(file); }
  std::string whole_run() {
    EXPECT_EQ(run({"--output", "whole.txt"}).exit_code, 0);
    return output("whole.txt");
  }

  TempFolder folder_;
};

TEST_F(Hosts, WithoutHostAllRunsHere) {
  const ProgramRun sut = run({});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_TRUE(fs::is_empty(folder_ / "log"));
  EXPECT_GE(std::ranges::count(output(), '\n'), 200);
}

TEST_F(Hosts, ThePartsTogetherGiveWhatThePlanGives) {
  const std::string expected = whole_run();
  // Each waits for what the one before it writes, in whatever order they start.
  auto store = std::async(std::launch::async, [&] { return run({"--host", "store"}); });
  auto gpu = std::async(std::launch::async, [&] { return run({"--host", "gpu"}); });
  const ProgramRun first = run({"--host", "main"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(gpu.get().exit_code, 0);
  EXPECT_EQ(store.get().exit_code, 0);
  EXPECT_EQ(output(), expected);
  EXPECT_TRUE(fs::exists(folder_ / "log/people-1-Add-Mix"));
  EXPECT_TRUE(fs::exists(folder_ / "log/people-1-Mix-Sink"));
}

TEST_F(Hosts, ARunThatHasEndedIsNotDoneAgain) {
  ASSERT_EQ(run({"--host", "main"}).exit_code, 0);
  const auto size = fs::file_size(folder_ / "log/people-1-Add-Mix");
  EXPECT_EQ(run({"--host", "main"}).exit_code, 0);
  EXPECT_EQ(fs::file_size(folder_ / "log/people-1-Add-Mix"), size);
  EXPECT_EQ(run({"--host", "main", "--run", "2"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "log/people-2-Add-Mix"));
}

TEST_F(Hosts, APausedPartLeavesNoEndAndGoesOnLater) {
  const std::string expected = whole_run();
  ASSERT_EQ(run({"--host", "main"}).exit_code, 0);
  EXPECT_TRUE(has_end("people-1-Add-Mix"));
  // With --duration a part pauses as at SIGTERM. All items together take this one 2 s.
  folder_.write("plan.json", plan(R"("stages": [{"name": "Slow", "type": "wait", "params": {"time": "10ms"}},
                                                {"name": "Mix", "type": "test.mix"}])"));
  ASSERT_EQ(run({"--host", "main", "--run", "2"}).exit_code, 0);
  for (int pause = 0; pause < 2; ++pause) {
    const ProgramRun paused = run({"--host", "gpu", "--run", "2", "--duration", "200ms"});
    EXPECT_EQ(paused.exit_code, 75) << paused.err;
    EXPECT_CONTAINS(paused.err, "paused; the same command goes on with the run");
    EXPECT_FALSE(has_end("people-2-Mix-Sink"));
  }
  EXPECT_EQ(run({"--host", "gpu", "--run", "2"}).exit_code, 0);
  EXPECT_TRUE(has_end("people-2-Mix-Sink"));
  EXPECT_EQ(run({"--host", "store", "--run", "2"}).exit_code, 0);
  EXPECT_EQ(output(), expected);
}

TEST_F(Hosts, AFailureInFrontOfTheSinkIsNotTheEnd) {
  folder_.write("plan.json",
                plan(R"("type": "test.crash", "on_error": "fail", "params": {"how": "throw", "sequence": 100})"));
  ASSERT_EQ(run({"--host", "main"}).exit_code, 0);
  const ProgramRun failed = run({"--host", "gpu"});
  EXPECT_EQ(failed.exit_code, 1) << failed.err;
  EXPECT_CONTAINS(folder_.read("log/people-1-Mix-Sink"), "99") << "what was done before it has come out";
  EXPECT_FALSE(has_end("people-1-Mix-Sink"));
}

TEST_F(Hosts, AWorkerThatDiesChangesNothing) {
  const std::string whole = whole_run();
  folder_.write("plan.json",
                plan(R"("stages": [{"name": "Die", "type": "test.crash", "params": {"how": "segv", "every": 50}},
                                                {"name": "Mix", "type": "test.mix"}])"));
  for (const char* const host : {"main", "gpu", "store"}) {
    const ProgramRun part = run({"--host", host});
    EXPECT_EQ(part.exit_code, 0) << part.err;
  }
  EXPECT_EQ(output(), whole);
}

TEST_F(Hosts, AnotherPlanIsRefusedWithBothHashes) {
  ASSERT_EQ(run({"--host", "main"}).exit_code, 0);
  const ProgramRun sut = run({"--host", "gpu", "--set", "Add.time=1us"});
  EXPECT_EQ(sut.exit_code, 1);
  EXPECT_CONTAINS(sut.err, "people-1-Add-Mix holds items of \"string ");
}

TEST_F(Hosts, StopEndsTheRunAtItsSourceAndPausesAPart) {
  // The source never ends by itself.
  folder_.write("plan.json", R"({"name": "forever", "plugins": [")" + odd_plugin("fake_log") + R"("],
      "cluster": {"log": "nats://)" +
                                 (folder_ / "log") + R"("},
      "source": {"type": "generate", "params": {"period": "2ms"}}, "stages": [{"type": "wait", "params": {"time": "0s"}}],
      "sink": {"type": "discard", "host": "store"}, "profiler": {"enabled": false}})");
  auto first = std::async(std::launch::async, [&] { return run({"--host", "main"}); });
  auto last = std::async(std::launch::async, [&] { return run({"--host", "store"}); });
  const auto stop = [&](std::vector<std::string> options) {
    options.insert(options.begin(), "stop");
    return coord(options, {.directory = folder_.path()});
  };
  const auto retry = [&](const std::vector<std::string>& options) {
    ProgramRun result = stop(options);
    for (int tries = 0; result.exit_code != 0 && tries < 600; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      result = stop(options);
    }
    return result;
  };
  EXPECT_EQ(retry({"forever@store", "--wait"}).exit_code, 0);
  EXPECT_EQ(last.get().exit_code, 75);
  const ProgramRun unknown = stop({"forever-2", "--run"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_CONTAINS(unknown.err, "no part of the run \"forever-2\" runs on this machine");
  EXPECT_EQ(retry({"forever-1", "--run", "--wait"}).exit_code, 0);
  EXPECT_EQ(first.get().exit_code, 0);
  EXPECT_EQ(run({"--host", "store"}).exit_code, 0) << "the drain has left an end";
}

TEST_F(Hosts, ListTellsRunAndHost) {
  auto store = std::async(std::launch::async, [&] { return run({"--host", "store"}); });
  std::string listed;
  for (int tries = 0; tries < 600 && !contains(listed, "people@store"); ++tries) {
    listed = coord({"list", "--json"}).out;
  }
  EXPECT_CONTAINS(listed, "\"name\": \"people@store\", \"shared_run\": \"people-1\", \"host\": \"store\"");
  EXPECT_EQ(coord({"stop", "people@store", "--wait"}).exit_code, 0);
  EXPECT_EQ(store.get().exit_code, 75);
}

TEST_F(Hosts, WrongUseIsSaid) {
  const auto refused = [&](const std::vector<std::string>& options) {
    const ProgramRun sut = run(options);
    EXPECT_EQ(sut.exit_code, 2) << sut.err;
    return sut.err;
  };
  EXPECT_CONTAINS(
      refused({"--host", "gpuu"}),
      R"(--host: found "gpuu", expected a host of this plan, one of "main", "gpu", "store" (did you mean "gpu"?))");
  EXPECT_CONTAINS(refused({"--host", "gpu", "--run", "a-b"}), R"(--run: found "a-b", expected at most 30 letters)");
  EXPECT_CONTAINS(refused({"--host", "gpu", "--items", "3"}), "--items ends the source of a plan");
  folder_.write("plan.json", R"({"source": {"type": "generate"}, "stages": [{"type": "wait", "params": {"time": "0s"}}],
                                 "sink": {"type": "discard", "host": "b"}})");
  EXPECT_CONTAINS(refused({"--host", "b"}), "plan.json: found no \"cluster\"");
}

TEST_F(Hosts, ValidateShowsThePartsAndRefusesStateThatMoves) {
  const auto validate = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"validate", "plan.json"});
    return coord(options, {.directory = folder_.path()});
  };
  const ProgramRun whole = validate({});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_CONTAINS(whole.out,
                  "3 parts\n  main   Source, Add  -> people-1-Add-Mix   string\n"
                  "  gpu    Mix          -> people-1-Mix-Sink  ");
  const ProgramRun part = validate({"--host", "gpu"});
  EXPECT_EQ(part.exit_code, 0) << part.err;
  EXPECT_CONTAINS(part.out,
                  "3 worker processes\n  From_Add  nats.source\n  Mix       test.mix\n  To_Sink   nats.sink\n");
  EXPECT_CONTAINS(validate({"--json"}).out, "\"writes\": \"people-1-Add-Mix\"");
  folder_.write("plan.json", plan(R"("type": "test.count")", R"(, "moves": ["gpu", "store"])"));
  for (const std::vector<std::string>& options : {std::vector<std::string>(), {"--host", "main"}}) {
    const ProgramRun moved = validate(options);
    EXPECT_EQ(moved.exit_code, 2);
    EXPECT_CONTAINS(moved.err, R"(/stages/1/type: found "test.count", whose checkpoint stays on its machine)");
    EXPECT_CONTAINS(moved.err, R"(/sink/type: found "file_writer", whose output can be resumed only on its machine)");
  }
}

TEST_F(Hosts, WithoutThePluginTheHostIsRefused) {
  folder_.write("plan.json", R"({"name": "p", "cluster": {"log": "nats://n"}, "source": {"type": "generate"},
      "stages": [{"type": "wait", "params": {"time": "0s"}}], "sink": {"type": "discard", "host": "b"}})");
  const ProgramRun sut = coord({"validate", "plan.json", "--host", "b"}, {.directory = folder_.path()});
  if (sut.exit_code != 0) {  // a build with NATS has it
    EXPECT_EQ(sut.exit_code, 2);
    EXPECT_CONTAINS(sut.err, "--host needs the plugin libpystream_nats.so");
  }
  EXPECT_EQ(coord({"validate", "plan.json"}, {.directory = folder_.path()}).exit_code, 0);
}

TEST_F(Hosts, GraphsGroupByHost) {
  const auto graph = [&](const std::string& format) {
    return coord({"graph", "plan.json", "--format", format}, {.directory = folder_.path()}).out;
  };
  EXPECT_CONTAINS(graph("text"), "├─ main                    host\n│  ├─ Source  lines        process\n");
  EXPECT_CONTAINS(graph("text"), "└─ store");
  EXPECT_CONTAINS(graph("dot"), "<b>gpu</b>  <font point-size=\"10\" color=\"#5f6b7a\">host</font>");
  EXPECT_CONTAINS(graph("mermaid"), "[\"gpu (host)\"]\n");
  EXPECT_CONTAINS(coord({"graph", "plan.json", "--host", "gpu"}, {.directory = folder_.path()}).out, "└─ To_Sink");
}

}  // namespace
}  // namespace pystream::test
