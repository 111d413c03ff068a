#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "support/pipeline_run.hpp"

/// What a pipeline has in the system while it runs, and that all of it is gone within a second, however it ended.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

using Names = std::set<std::string>;

fs::path folder_of(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

/// The process and all below it.
std::vector<pid_t> family_of(pid_t pid) {
  std::vector<pid_t> family{pid};
  for (std::size_t i = 0; i < family.size(); ++i) {
    std::ranges::copy(children_of(family[i]), std::back_inserter(family));
  }
  return family;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      pids.push_back(std::stoi(name));
    }
  }
  return pids;
}

/// Device and inode of the mapped files whose name begins so: what tells this pipeline's memory from another's.
Names mapped_by(pid_t pid, std::string_view prefix) {
  Names found;
  std::ifstream maps(folder_of(pid) / "maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string range, rights, offset, device, inode, name;
    words >> range >> rights >> offset >> device >> inode >> name;
    if (name.starts_with(prefix)) {
      found.insert(device + " " + inode);
    }
  }
  return found;
}

/// What a process has open, as the links in /proc/PID/fd say: "socket:[123]", "/dev/shm/x".
Names opened_by(pid_t pid) {
  Names found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_of(pid) / "fd", error)) {
    std::error_code gone;
    found.insert(fs::read_symlink(entry.path(), gone).string());
  }
  return found;
}

/// Inode and name of every Unix socket with a name in this network namespace.
std::map<std::string, std::string> named_sockets() {
  std::map<std::string, std::string> sockets;
  std::ifstream file("/proc/net/unix");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string address, references, protocol, flags, type, state, inode, name;
    words >> address >> references >> protocol >> flags >> type >> state >> inode >> name;
    if (!name.empty()) {
      sockets.emplace(inode, name);
    }
  }
  return sockets;
}

/// Everything of a running pipeline that could outlive it.
struct Traces {
  std::vector<pid_t> processes;
  Names memories;                              ///< device and inode of its memfds
  std::map<std::string, std::string> sockets;  ///< inode and name
  Names files;                                 ///< open or mapped in places for shared memory and temporary files

  explicit Traces(pid_t coordinator) : processes(family_of(coordinator)) {
    const auto named = named_sockets();
    for (const pid_t pid : processes) {
      memories.merge(mapped_by(pid, "/memfd:"));
      files.merge(mapped_by(pid, "/dev/shm"));
      for (const std::string& file : opened_by(pid)) {
        if (file.starts_with("/dev/shm")) {
          files.insert(file);
        } else if (file.starts_with("socket:[")) {
          const auto socket = named.find(file.substr(8, file.size() - 9));
          if (socket != named.end()) {
            sockets.insert(*socket);
          }
        }
      }
    }
  }

  /// What of it is still there, in words; empty: nothing.
  std::string left() const {
    std::string text;
    for (const pid_t pid : processes) {
      if (::kill(pid, 0) == 0) {
        text += "process " + std::to_string(pid) + "\n";
      }
    }
    const auto named = named_sockets();
    for (const auto& [inode, name] : sockets) {
      if (named.contains(inode)) {
        text += "socket " + name + "\n";
      }
    }
    for (const pid_t pid : all_processes()) {
      for (const std::string& memory : mapped_by(pid, "/memfd:")) {
        if (memories.contains(memory)) {
          text += "memory " + memory + " in process " + std::to_string(pid) + "\n";
        }
      }
    }
    return text;
  }
};

Names entries_of(const std::string& folder) {
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class LeftoversTest : public ::testing::Test {
 protected:
  /// Five processes, one of them with a child of its own, and a profile.
  std::string plan(int items) const {
    return R"({"plugins": ["libpystream_testing.so"],
      "source": {"type": "generate", "params": {"count": )" +
           std::to_string(items) + R"(, "period": "2ms", "size": 70000}},
      "stages": [{"name": "A", )" +
           first + R"(},
                 {"name": "B", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}},
                 {"name": "C", "type": "test.filter", "params": {"n": 2}}],
      "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" +
           output + R"("}}})";
  }

  /// Runs it with a temporary folder of its own, ends it once it flows, and looks for what is left a second later.
  void expect_nothing_left(int items, const std::function<void(PipelineRun&)>& end) {
    const std::string temporary = folder / "tmp";
    fs::create_directory(temporary);
    ::setenv("TMPDIR", temporary.c_str(), 1);
    PipelineRun run(plan(items), folder);
    ::unsetenv("TMPDIR");
    ASSERT_TRUE(wait_until([&] { return fs::exists(output) && fs::file_size(output) > 400'000; })) << run.errors();
    const Traces traces(run.pid());
    // The look itself must be able to see something.
    EXPECT_GE(traces.processes.size(), 7U);  // coordinator, five workers, cat, profiler process
    EXPECT_FALSE(traces.memories.empty());
    EXPECT_EQ(traces.sockets.size(), 2U);  // the control socket, and the hold on the name of the output
    EXPECT_EQ(traces.files, Names());
    EXPECT_NE(traces.left(), "");
    end(run);
    ASSERT_TRUE(wait_until([&] { return run.ended(); })) << run.errors();
    std::string left;
    EXPECT_TRUE(wait_until([&] { return nothing_is_left() && (left = traces.left()).empty(); })) << left;
    EXPECT_EQ(entries_of(temporary), Names());
    EXPECT_EQ(entries_of(folder.path()), (Names{"plan.json", "stdout", "stderr", "tmp", "output", "profiles"}));
  }

  const TempFolder folder;
  const std::string output = folder / "output";
  std::string first = R"("type": "test.add")";  ///< what the first stage is
};

TEST_F(LeftoversTest, NothingAfterTheEndOfTheSource) {
  expect_nothing_left(1000, [](PipelineRun& run) { EXPECT_EQ(run.wait(), 0) << run.errors(); });
}

TEST_F(LeftoversTest, NothingAfterAnInterrupt) {
  expect_nothing_left(0, [](PipelineRun& run) {
    run.signal(SIGINT);
    EXPECT_EQ(run.wait(), 0) << run.errors();
  });
}

TEST_F(LeftoversTest, NothingAfterATermination) {
  expect_nothing_left(0, [](PipelineRun& run) {
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 0) << run.errors();
  });
}

TEST_F(LeftoversTest, NothingAfterASecondInterrupt) {
  expect_nothing_left(0, [](PipelineRun& run) {
    run.signal(SIGINT);
    run.signal(SIGINT);
    const int code = run.wait();  // one signal if the second came before the first was taken
    EXPECT_TRUE(code == 130 || code == 0) << code;
  });
}

TEST_F(LeftoversTest, NothingAfterTheCoordinatorIsKilled) {
  expect_nothing_left(0, [](PipelineRun& run) {
    run.signal(SIGKILL);
    EXPECT_EQ(run.wait(), 1000 + SIGKILL);
  });
}

TEST_F(LeftoversTest, NothingAfterAFailure) {
  first = R"("type": "test.crash", "on_crash": "fail", "params": {"how": "segv", "sequence": 1000})";
  expect_nothing_left(0, [](PipelineRun& run) { EXPECT_EQ(run.wait(), 1) << run.errors(); });
}

}  // namespace
}  // namespace pystream
