#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#include "api/api_support.hpp"
#include "base/log.hpp"

/// What a pipeline made by fork asks of its processes, one by one.
namespace pystream::test {
namespace {

int same(int x) {
  return x;
}

/// Runs `look` in a worker and gives back what it returned.
template <class Look>
std::string in_worker(Look look) {
  Pipeline sut;
  sut.add([look](int) -> std::string { return look(); }).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(0));
  return sut.get_results<std::string>().value_or("");
}

std::string status_field(const std::string& process, const std::string& field) {
  std::ifstream status("/proc/" + process + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) {
      return line.substr(field.size() + 1);
    }
  }
  return {};
}

std::uint64_t mask_of(const std::string& process, const std::string& field) {
  return std::stoull(status_field(process, field), nullptr, 16);
}

constexpr std::uint64_t bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

TEST(ForkTest, UsersSignalHandlingDoesNotGoOn) {
  const auto before_usr1 = std::signal(SIGUSR1, [](int) {});
  const auto before_quit = std::signal(SIGQUIT, SIG_IGN);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);

  Pipeline sut;
  sut.add(same).parallelize();
  const PipelineStatus status = sut.status();
  for (const pid_t pid : {status.coordinator, status.stages[0].pid}) {
    const std::string process = std::to_string(pid);
    EXPECT_EQ(mask_of(process, "SigCgt") & bit(SIGUSR1), 0U);
    EXPECT_EQ(mask_of(process, "SigIgn") & bit(SIGQUIT), 0U);
    EXPECT_EQ(mask_of(process, "SigBlk") & bit(SIGUSR2), 0U);
    EXPECT_NE(mask_of(process, "SigIgn") & bit(SIGINT), 0U);  // Ctrl-C is the user's process's
  }
  EXPECT_EQ(mask_of("self", "SigBlk"), bit(SIGUSR2));  // nothing changed here

  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  std::signal(SIGUSR1, before_usr1);
  std::signal(SIGQUIT, before_quit);
}

TEST(ForkTest, CoordinatorAndWorkersHaveOneThreadEach) {
  Pipeline sut;
  sut.add(same).parallelize();
  const PipelineStatus status = sut.status();
  EXPECT_EQ(std::stoi(status_field(std::to_string(status.coordinator), "Threads")), 1);
  EXPECT_EQ(std::stoi(status_field(std::to_string(status.stages[0].pid), "Threads")), 1);
}

TEST(ForkTest, TheCoordinatorOutlivesTheThreadThatMadeIt) {
  Pipeline sut;
  sut.add(same);
  std::jthread([&] { sut.parallelize(kAllResults); }).join();
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);
}

TEST(ForkTest, StagesDoNotReadTheUsersInput) {
  EXPECT_EQ(in_worker([] {
              char letter = 0;
              return "read " + std::to_string(::read(STDIN_FILENO, &letter, 1));
            }),
            "read 0");
}

TEST(ForkTest, StagesMayUseTheUsersFiles) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe(fds.data()), 0);
  Pipeline sut;
  sut.add([fds](int x) { return static_cast<int>(::write(fds[1], &x, sizeof(x))); }).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(7));
  EXPECT_EQ(sut.get_results<int>(), 4);
  int got = 0;
  EXPECT_EQ(::read(fds[0], &got, sizeof(got)), 4);
  EXPECT_EQ(got, 7);
  ::close(fds[0]);
  ::close(fds[1]);
}

/// What a worker has open, as links in /proc/self/fd.
std::string open_files() {
  std::string all;
  for (int fd = 3; fd < 256; ++fd) {
    std::array<char, 256> target{};
    if (::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target.data(), target.size() - 1) > 0) {
      all += std::string(target.data()) + "\n";
    }
  }
  return all;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(ForkTest, WorkersKeepNothingOfOtherPipelinesAndOfTheCoordinator) {
  Pipeline other;
  other.add(same).parallelize();
  const std::string files = in_worker(open_files);
  EXPECT_EQ(count(files, "memfd:pystream"), 1U) << files;
  EXPECT_EQ(count(files, "eventfd"), 1U) << files;
  EXPECT_EQ(count(files, "eventpoll"), 0U) << files;
  EXPECT_EQ(count(files, "signalfd"), 0U) << files;
  EXPECT_EQ(count(files, "pidfd"), 0U) << files;
}

TEST(ForkTest, TheUsersProcessDiesWithoutATraceOfSocketsInWorkers) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const std::string files = in_worker(open_files);
  EXPECT_EQ(count(files, "socket:"), 2U) << files;  // the user's own and nothing else
  ::close(ends[0]);
  ::close(ends[1]);
}

/// Runs `program` in a child process and gives back what it wrote to standard output and standard error.
std::string output_of(const std::function<void()>& program) {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(fds[1], STDOUT_FILENO);
    ::dup2(fds[1], STDERR_FILENO);
    ::close(fds[0]);
    ::close(fds[1]);
    ::setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
    program();
    std::fflush(stdout);
    ::_exit(0);
  }
  ::close(fds[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(fds[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(fds[0]);
  ::waitpid(pid, nullptr, 0);
  return text;
}

TEST(ForkTest, WhatTheUserHasPrintedComesOutOnceAndWhatAStagePrintsToo) {
  const std::string text = output_of([] {
    std::printf("before ");
    Pipeline sut;
    sut.add([](int x) {
         std::printf("stage ");
         return x;
       })
        .parallelize(kAllResults);
    EXPECT_TRUE(sut.forward(1));
    EXPECT_TRUE(sut.get_results<int>());
    sut.cleanup();
    std::printf("after");
  });
  EXPECT_EQ(text, "before stage after");
}

TEST(ForkTest, WhatAStageSaysOnStandardErrorCarriesItsName) {
  const std::string text = output_of([] {
    Pipeline sut;
    sut.add(
           [](int x) {
             std::fputs("careful\n", stderr);
             return x;
           },
           "Careful")
        .parallelize(kAllResults);
    EXPECT_TRUE(sut.forward(1));
    EXPECT_TRUE(sut.get_results<int>());
  });
  EXPECT_EQ(text, "pystream: MainPipeline__Careful: careful\n");
}

TEST(ForkTest, TakesNoLockThatAnotherThreadHolds) {
  std::mutex held;
  std::atomic<bool> inside = false;
  std::atomic<bool> begin = false;
  std::unique_lock lock(held);
  std::jthread holder([&](const std::stop_token& stop) {
    while (!begin && !stop.stop_requested()) {
      std::this_thread::sleep_for(1ms);
    }
    base::log(LogLevel::error, "this thread holds the logger's lock");
  });
  Pipeline first;  // warns of the thread, so that the next one does not
  first.add(same).parallelize();
  set_logger([&](LogLevel, std::string_view) {
    inside = true;
    const std::lock_guard wait(held);
  });
  begin = true;
  ASSERT_TRUE(wait_until([&] { return inside.load(); }));
  const SharedCount crashes;
  Pipeline sut;
  sut.add([crashes](int x) { return (*crashes)++ == 0 ? (std::abort(), x) : x; }).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);  // the coordinator has told of the crash and started the worker again
  lock.unlock();
  holder.join();
  set_logger({});
}

TEST(ForkTest, WarnsOfThreadsByName) {
  std::mutex mutex;
  std::string said;
  set_logger([&](LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex);
    said += level == LogLevel::warning ? text : "";
  });
  std::atomic<bool> named = false;
  std::jthread thread([&](const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "camera-reader");
    named = true;
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(1ms);
    }
  });
  ASSERT_TRUE(wait_until([&] { return named.load(); }));
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);  // and it works
  set_logger({});
  EXPECT_TRUE(contains(said, "camera-reader"));
  EXPECT_TRUE(contains(said, "1 other thread"));
}

TEST(ForkTest, AChildOfTheUsersHasNoPipeline) {
  auto sut = std::make_unique<Pipeline>();
  sut->add(same).parallelize(kAllResults);
  const pid_t child = ::fork();
  if (child == 0) {
    int wrong = 0;
    try {
      EXPECT_TRUE(sut->forward(1));
      wrong |= 1;
    } catch (const PipelineUndefined&) {
    }
    try {
      sut->cleanup();
      wrong |= 2;
    } catch (const PipelineUndefined&) {
    }
    sut.reset();  // does nothing
    ::_exit(wrong);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(sut->forward(2));
  EXPECT_EQ(sut->get_results<int>(), 2);
}

TEST(ForkTest, TheUsersOwnWaitMayTakeTheCoordinator) {
  std::signal(SIGCHLD, SIG_IGN);  // children are reaped by the kernel
  {
    Pipeline sut;
    sut.add(same).parallelize(kAllResults);
    EXPECT_TRUE(sut.forward(1));
    EXPECT_EQ(sut.get_results<int>(), 1);
    sut.cleanup();
  }
  std::signal(SIGCHLD, SIG_DFL);
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  std::jthread waiter([] { ::waitpid(-1, nullptr, 0); });
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);
  sut.cleanup();
}

TEST(ForkTest, DestructorsOfTheUsersObjectsRunOnlyInTheUsersProcess) {
  struct Witness {
    SharedCount count;
    pid_t owner = ::getpid();
    ~Witness() { *count += ::getpid() != owner ? 1 : 0; }
  };
  const SharedCount count;
  const Witness witness{count};
  {
    Pipeline sut;
    sut.add(same).parallelize(kAllResults);
    EXPECT_TRUE(sut.forward(1));
    EXPECT_TRUE(sut.get_results<int>());
  }
  EXPECT_EQ(*count, 0);
}

}  // namespace
}  // namespace pystream::test
