#include <sys/stat.h>
#include <sys/syscall.h>

#include <filesystem>
#include <set>

#include "support/pipeline_run.hpp"
#include "support/tracee.hpp"

/// A coordinator that is stopped, killed or crashes at any step of launching and restarting its workers. The steps are
/// entries and exits of its system calls: between two of them it changes nothing that others could see. The suite takes
/// a sample; with PYSTREAM_TEST_FULL it is every one (scripts/prove_kills.sh).
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

std::string plan_in(const TempFolder& folder) {
  return R"({"plugins": ["libpystream_testing.so"],
             "source": {"type": "generate", "params": {"period": "1ms", "size": 8}},
             "stages": [{"name": "A", "type": "test.add"},
                        {"name": "B", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}}],
             "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" +
         (folder / "output") + R"("}}})";
}
constexpr std::size_t kChildren = 5;  ///< four workers and the profiler process

/// Inode of the pipeline's shared memory; 0: the coordinator has none yet, or none any more.
ino_t memory_of(pid_t coordinator) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(coordinator) + "/fd", error)) {
    struct stat status {};
    if (std::filesystem::read_symlink(entry, error).string().starts_with("/memfd:pystream") &&
        ::stat(entry.path().c_str(), &status) == 0) {
      return status.st_ino;
    }
  }
  return 0;
}

/// A process that maps that memory; 0: none.
pid_t who_maps(ino_t memory) {
  if (memory == 0) {
    return 0;
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    std::ifstream maps(entry.path() / "maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("/memfd:pystream") != std::string::npos &&
          line.find(" " + std::to_string(memory) + " ") != std::string::npos) {
        return static_cast<pid_t>(std::stol(name));
      }
    }
  }
  return 0;
}

bool has_socket(pid_t coordinator) {
  std::ifstream file("/proc/net/unix");
  for (std::string line; std::getline(file, line);) {
    if (line.find("@pystream/") != std::string::npos && line.ends_with("/" + std::to_string(coordinator))) {
      return true;
    }
  }
  return false;
}

/// Who is left: the coordinator, and what has become this process's child with its end; with state and command.
std::string who_is_left() {
  std::string all;
  for (const pid_t pid : children_of(::getpid())) {
    const std::string folder = "/proc/" + std::to_string(pid);
    std::string command = read_file(folder + "/cmdline");
    std::ranges::replace(command, '\0', ' ');
    all += "\n" + read_file(folder + "/stat").substr(0, 60) + "... " + command;
  }
  return all;
}

/// How long it took.
std::chrono::milliseconds expect_nothing_left(PipelineRun& run, ino_t memory, const std::string& when) {
  const auto start = std::chrono::steady_clock::now();
  if (!wait_until([&] { return run.ended() && nothing_is_left(); }, 20s)) {
    ADD_FAILURE() << "a process is left, " << when << ":" << who_is_left();
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  EXPECT_EQ(who_maps(memory), 0) << "its memory is still mapped, " << when;
  EXPECT_FALSE(has_socket(run.pid())) << "its socket is still there, " << when;
  for (const pid_t left : children_of(::getpid())) {
    ::kill(left, SIGKILL);
  }
  return took;
}

void report(int deaths, std::chrono::milliseconds slowest, const std::string& where) {
  std::printf("%d deaths %s; at most %lld ms until nothing was left\n", deaths, where.c_str(),
              static_cast<long long>(slowest.count()));
}

bool is_full_run() {
  return std::getenv("PYSTREAM_TEST_FULL") != nullptr;
}

constexpr int kEnds[] = {SIGKILL, SIGSEGV, SIGABRT};

/// Whether it stands still for a while before it ends: its workers run on meanwhile.
void end(Tracee& coordinator, int step) {
  if (step % 2 == 1) {
    ::usleep(20'000);
  }
  coordinator.end_with(kEnds[static_cast<std::size_t>(step) % std::size(kEnds)]);
}

/// One step; false once it has its children: it sleeps then, and may make no further one for long.
bool launches_on(Tracee& coordinator, const PipelineRun& run) {
  return run.children().size() < kChildren && coordinator.run_to_system_call() &&
         !(coordinator.enters(SYS_epoll_wait) && children_of(run.pid()).size() >= kChildren);
}

TEST(CoordinatorDeath, WhileItLaunches) {
  int steps = 0;
  {
    const TempFolder folder;
    PipelineRun run(plan_in(folder), folder, {"--quiet"}, PipelineRun::Start::held);
    Tracee coordinator(run.pid());
    run.let_go();
    while (launches_on(coordinator, run)) {
      ++steps;
    }
    const ino_t memory = memory_of(run.pid());
    EXPECT_NE(memory, 0U);
    EXPECT_NE(who_maps(memory), 0) << "the look at the maps sees nothing";
    EXPECT_TRUE(has_socket(run.pid())) << "the look at the sockets sees nothing";
    end(coordinator, 0);
    expect_nothing_left(run, memory, "after all were launched");
  }
  const int stride = is_full_run() ? 1 : steps / 25 + 1;
  int deaths = 0;
  std::chrono::milliseconds slowest{0};
  for (int step = 0; step < steps && !testing::Test::HasFailure(); step += stride, ++deaths) {
    const TempFolder folder;
    PipelineRun run(plan_in(folder), folder, {"--quiet"}, PipelineRun::Start::held);
    Tracee coordinator(run.pid());
    run.let_go();
    for (int i = 0; i < step && launches_on(coordinator, run); ++i) {
    }
    const ino_t memory = memory_of(run.pid());
    end(coordinator, deaths);
    slowest = std::max(slowest, expect_nothing_left(run, memory, "at step " + std::to_string(step)));
  }
  report(deaths, slowest, "within " + std::to_string(steps) + " steps of a launch");
}

TEST(CoordinatorDeath, WhileItRestarts) {
  const int stride = is_full_run() ? 1 : 4;
  int deaths = 0;
  std::chrono::milliseconds slowest{0};
  bool restarted = false;
  for (int step = 0; !restarted && !testing::Test::HasFailure(); step += stride, ++deaths) {
    const TempFolder folder;
    PipelineRun run(plan_in(folder), folder, {"--quiet"});
    ASSERT_TRUE(wait_until([&] {
      return std::filesystem::exists(folder / "output") && run.children().size() == kChildren;
    })) << run.errors();
    Tracee coordinator(run.pid());
    const ino_t memory = memory_of(run.pid());
    const std::vector<pid_t> before = run.children();
    ::kill(before.at(2), SIGKILL);  // not the profiler process, the first, whose death nobody restarts
    for (int i = 0; i < step && !restarted && coordinator.run_to_system_call(); ++i) {
      restarted = coordinator.enters(SYS_epoll_wait) && run.children().size() == kChildren && run.children() != before;
    }
    end(coordinator, deaths);
    slowest = std::max(slowest, expect_nothing_left(run, memory, "at step " + std::to_string(step) + " of a restart"));
  }
  report(deaths, slowest, "within " + std::to_string((deaths - 1) * stride + 1) + " steps of a restart");
}

}  // namespace
}  // namespace pystream
