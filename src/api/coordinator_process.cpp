#include "api/coordinator_process.hpp"

#include <fcntl.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "api/patience.hpp"
#include "base/blocked_signals.hpp"
#include "base/log.hpp"
#include "base/nonblocking_writer.hpp"
#include "base/pidfd.hpp"
#include "base/process_mark.hpp"
#include "base/process_start.hpp"
#include "base/system_error.hpp"
#include "coord/fd_budget.hpp"
#include "coord/orphan_drainer.hpp"
#include "coord/run_assembly.hpp"
#include "coord/worker_streams.hpp"
#include "worker/worker_process.hpp"

namespace pystream::api {
namespace {

constexpr std::chrono::milliseconds kLastPatience = std::chrono::milliseconds(500);
constexpr long kOrphanPeriodNs = 2'000'000;

/// Nothing of the user's signal handling goes on here. What a terminal sends is for the user's process, which this one
/// outlives to drain.
void reset_signals() {
  base::reset_all_signals();
  for (const int ignored : {SIGINT, SIGHUP, SIGPIPE}) {
    std::signal(ignored, SIG_IGN);
  }
  base::make_harmless(SIGQUIT);
  base::unblock_all_signals();
}

/// Stages must not eat the user's input; a source may.
void take_standard_input_away() {
  const base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || ::dup2(null.get(), STDIN_FILENO) < 0) {
    base::throw_errno("cannot take standard input away from the stages");
  }
}

bool has_source(const plan::Topology& topology) {
  return topology.has_source(0);
}

/// Created in the coordinator process, and used by it alone.
base::NonblockingWriter& standard_error() {
  static base::NonblockingWriter* const kWriter = std::make_unique<base::NonblockingWriter>(STDERR_FILENO).release();
  return *kWriter;
}

/// Whole lines, so that those of several processes do not mix; no stdio, no lock, no wait.
void say(const std::string& who, const std::string& text) {
  std::string line = "pystream: ";
  if (!who.empty()) {
    line += who + ": ";
  }
  line += text;
  line += '\n';
  standard_error().write(line);
}

/// While it lives the loop writes what waits.
class UnwaitedErrors {
 public:
  explicit UnwaitedErrors(base::EventLoop& loop) { standard_error().attach(loop); }
  ~UnwaitedErrors() { standard_error().detach(); }
  UnwaitedErrors(const UnwaitedErrors&) = delete;
  UnwaitedErrors& operator=(const UnwaitedErrors&) = delete;
};

std::unique_ptr<coord::Launcher> make_launcher(const CoordinatorStart& start, const std::vector<int>& user_fds) {
  const std::uint64_t fds = coord::fds_needed(*start.topology, user_fds.size()).worker;
  if (start.method == StartMethod::spawn) {
    std::vector<coord::WorkerStreams> streams = coord::streams_of(*start.topology);
    for (coord::WorkerStreams& stream : streams) {
      // What stages print goes where the user's program prints, whichever way they were started.
      stream.output = coord::WorkerStreams::Output::kept;
    }
    return std::make_unique<coord::SpawnLauncher>(start.worker_program, std::move(streams), fds);
  }
  auto body = [&start](plan::WorkerId id, base::UniqueFd segment, base::UniqueFd bell) {
    if (start.hooks.in_worker) {
      start.hooks.in_worker();
    }
    if (has_source(*start.topology) && !start.topology->has_source(id)) {
      take_standard_input_away();
    }
    return worker::run_worker({.id = id,
                               .segment = std::move(segment),
                               .bell = std::move(bell),
                               .topology = start.topology,
                               .make = start.make,
                               .opens_database = false,
                               .helper_program = start.worker_program});
  };
  return std::make_unique<coord::ForkLauncher>(std::move(body), user_fds, fds);
}

/// The coordinator's side of everything between it and the user's process.
class Service {
 public:
  Service(const CoordinatorStart& start, Channel channel, base::UniqueFd user, const std::vector<int>& user_fds)
      : start_(start),
        channel_(std::move(channel)),
        user_(std::move(user)),
        assembly_({.name = program_name(),
                   .plan = start.plan,
                   .topology = start.topology,
                   .worker_program = start.worker_program,
                   .workers_are_forked = start.method == StartMethod::fork,
                   .warn = [this](const std::string& text) { tell(text); }},
                  shm::Segment::attach(base::UniqueFd(::fcntl(start.segment, F_DUPFD_CLOEXEC, 0))),
                  make_launcher(start, user_fds)),
        coordinator_(setup()) {
    if (profiler() != nullptr) {
      profiler()->set_patience_with_others(kHeldDatabaseMs);
    }
    coordinator_.loop().add(channel_.fd(), [this] { on_message(); });
    coordinator_.loop().add(user_.get(), [this] { inherit(); });
  }

  int run() {
    const UnwaitedErrors unwaited(coordinator_.loop());
    const coord::Outcome outcome = coordinator_.run();
    if (outcome == coord::Outcome::failed) {
      if (runs_alone()) {
        channel_.send({.kind = Message::Kind::failed, .reason = *coordinator_.failure()});
      }
      return EXIT_FAILURE;
    }
    if (orphan_drainer_ && orphan_drainer_->discarded() > 0) {
      say({}, "the program that fed the pipeline has died; " + std::to_string(orphan_drainer_->discarded()) +
                  " results that no process can read any more were discarded");
    }
    return EXIT_SUCCESS;
  }

 private:
  /// The user's process logs it with its next call; if it is gone, or does not call, it is said here.
  void tell(const std::string& text) {
    if ((orphan_drainer_ || !channel_.send_report(text)) && log_level() <= LogLevel::warning) {
      say({}, text);
    }
  }

  /// The user's process neither feeds nor reads. It hears of a failure when all that was committed has come out, since
  /// it then ends the pipeline.
  bool runs_alone() const { return std::ranges::none_of(start_.topology->workers, &plan::WorkerSpec::external); }

  /// nullptr: the profile is not wanted, or not possible.
  coord::ProfilerClient* profiler() const { return assembly_.profiling().profiler.get(); }

  Message profiles() {
    Message message{.kind = Message::Kind::profiles};
    const auto summary = profiler() != nullptr ? profiler()->profiles() : std::nullopt;
    if (!summary) {
      const std::string& why = profiler() != nullptr ? profiler()->failure() : assembly_.profiling().failure;
      message.reason.text = why.empty() ? "the profiler process does not answer" : why;
      return message;
    }
    const auto throughput = summary->throughput();
    for (const auto& [key, latency_s] : summary->latency()) {
      const auto found = throughput.find(key);
      message.figures.push_back(
          {.key = key, .latency_s = latency_s, .items_per_s = found != throughput.end() ? found->second : 0});
    }
    return message;
  }

  coord::RunSetup setup() {
    coord::RunSetup setup = assembly_.setup();
    setup.takes_interrupts = false;
    setup.stop_grace = start_.stop_grace;
    setup.log = [this](const coord::LogLine& line) {
      if (line.worker.empty()) {
        tell(line.text);
      } else if (!start_.sends_lines || orphan_drainer_ || !channel_.send_line(line.worker, line.text)) {
        say(line.worker, line.text);
      }
    };
    setup.ready = [this] { channel_.send({.kind = Message::Kind::ready}); };
    setup.draining = [this] { tell_of_drain(); };
    setup.ended = [this] {
      if (!orphan_drainer_ && !stopping_) {
        Message last = status();
        last.kind = Message::Kind::done;
        Message figures = profiles();
        last.figures = std::move(figures.figures);
        last.reason = std::move(figures.reason);
        channel_.send(last);
      }
    };
    if (!runs_alone()) {
      setup.failed = [this](const TerminationReason& reason) {
        channel_.send({.kind = Message::Kind::failed, .reason = reason});
      };
    }
    return setup;
  }

  void tell_of_drain() {
    if (orphan_drainer_ || drain_asked_) {
      return;
    }
    if (has_source(*start_.topology)) {
      tell("the pipeline drains: its coordinator received SIGTERM");
    } else {
      channel_.send({.kind = Message::Kind::ended,
                     .reason = {.text = "the pipeline was ended from outside: its coordinator received SIGTERM"}});
    }
  }

  void on_message() {
    while (const auto message = channel_.receive()) {
      if (message->kind == Message::Kind::stop) {
        stopping_ = true;
        coordinator_.stop();
      } else if (message->kind == Message::Kind::drain) {
        drain_asked_ = true;
        coordinator_.drain();
      } else if (message->kind == Message::Kind::ask_status) {
        channel_.send(status());
      } else if (message->kind == Message::Kind::ask_profiles) {
        channel_.send(profiles());
      }
    }
    if (channel_.closed()) {
      coordinator_.loop().remove(channel_.fd());
      // The user's process dies (its threads and memory are gone before its descriptors are) or has become another
      // program by exec.
      inherit();
    }
  }

  Message status() const {
    Message message{.kind = Message::Kind::status};
    for (plan::WorkerId id = 0; id < start_.topology->workers.size(); ++id) {
      message.workers.push_back(
          {.pid = coordinator_.pid_of(id), .restarts = coordinator_.view().workers[id].control->incarnation.load()});
    }
    return message;
  }

  void inherit() {
    coordinator_.loop().remove(user_.get());
    if (orphan_drainer_) {
      return;
    }
    orphan_drainer_.emplace(*start_.topology, assembly_.segment());
    coordinator_.drain();
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec period{.it_interval = {.tv_sec = 0, .tv_nsec = kOrphanPeriodNs},
                            .it_value = {.tv_sec = 0, .tv_nsec = 1}};
    if (!timer_ || ::timerfd_settime(timer_.get(), 0, &period, nullptr) != 0) {
      base::throw_errno("cannot take over from the program that has died");
    }
    coordinator_.loop().add(timer_.get(), [this] {
      std::uint64_t times = 0;
      [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &times, sizeof(times));
      orphan_drainer_->advance();
      if (orphan_drainer_->ended()) {
        coordinator_.loop().remove(timer_.get());
      }
    });
  }

  const CoordinatorStart& start_;
  Channel channel_;
  base::UniqueFd user_;
  std::optional<coord::OrphanDrainer> orphan_drainer_;  ///< once the user's process has died
  bool stopping_ = false;                               ///< the user's process has ended the pipeline
  bool drain_asked_ = false;                            ///< the user's process has asked for a drain
  coord::RunAssembly assembly_;
  coord::Coordinator coordinator_;
  base::UniqueFd timer_;
};

/// The whole life of the coordinator process.
int coordinate(const CoordinatorStart& start, Channel channel, base::UniqueFd user) {
  base::raise_fd_limit();
  // What the stages may use by number: everything that is open but for what belongs to this library.
  std::vector<int> user_fds = base::open_fds();
  std::erase_if(user_fds, [&](int fd) { return fd == channel.fd() || fd == user.get() || fd == start.segment; });
  base::UniqueFd spare(::fcntl(channel.fd(), F_DUPFD_CLOEXEC, 0));
  try {
    if (!spare) {
      base::throw_errno("the coordinator has no descriptor left");
    }
    coord::require_fds(*start.topology);
    return Service(start, std::move(channel), std::move(user), user_fds).run();
  } catch (const std::exception& error) {
    Channel last(std::move(spare));
    if (!last.send({.kind = Message::Kind::failed, .reason = {.text = error.what()}})) {
      say({}, error.what());
    }
    return EXIT_FAILURE;  // its workers die with it
  }
}

/// True the first time for these threads, so that it is said once however many pipelines are started.
bool is_news(const std::string& names) {
  static std::mutex mutex;
  static std::string known;
  const std::lock_guard lock(mutex);
  return std::exchange(known, names) != names;
}

void warn_of_threads() {
  const std::vector<std::string> threads = base::other_threads();
  std::string names;
  for (const std::string& name : threads) {
    names += (names.empty() ? "" : ", ") + name;
  }
  if (!is_news(names) || threads.empty()) {
    return;
  }
  base::log(LogLevel::warning,
            "parallelize() forks while this process has " + std::to_string(threads.size()) +
                (threads.size() == 1 ? " other thread (" : " other threads (") + names +
                "); a lock that one of them holds now stays locked for ever in the workers. Start threads afterwards, "
                "or use StartMethod::spawn");
}

/// The user's hooks around the fork. The child leaves by _exit(), so it never comes to the end of this.
class AroundFork {
 public:
  explicit AroundFork(const CoordinatorStart& start) : start_(start) { call(start.hooks.before); }
  ~AroundFork() { call(start_.hooks.in_parent); }
  AroundFork(const AroundFork&) = delete;
  AroundFork& operator=(const AroundFork&) = delete;

 private:
  void call(const std::function<void()>& hook) const {
    if (hook && start_.method == StartMethod::fork) {
      hook();
    }
  }

  const CoordinatorStart& start_;
};

}  // namespace

std::string program_name() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).filename().string();
}

CoordinatorChild start_coordinator(const CoordinatorStart& start) {
  if (start.method == StartMethod::fork && !start.hooks.before) {
    warn_of_threads();
  }
  auto [ours, theirs] = Channel::make_pair();
  base::UniqueFd user = base::open_pidfd(::getpid());
  std::cout.flush();
  std::fflush(stdout);
  pid_t pid = 0;
  int failure = 0;
  {
    const base::BlockedSignals blocked;
    const AroundFork hooks(start);
    pid = base::fork_without_private_fds({theirs.fd(), start.segment});
    failure = errno;
    if (pid == 0) {
      ::prctl(PR_SET_NAME, "pystream-coord");
      reset_signals();
      int code = EXIT_FAILURE;
      try {
        if (!has_source(*start.topology)) {
          take_standard_input_away();
        }
        ::__fpurge(stdout);  // what the user's program has printed but not flushed is its own to print
        code = coordinate(start, std::move(theirs), std::move(user));
      } catch (...) {
        say({}, "the coordinator failed to start");
      }
      standard_error().flush_within(kLastPatience);
      ::_exit(code);
    }
  }
  if (pid < 0) {
    errno = failure;
    base::throw_errno("cannot start the coordinator process");
  }
  return {.pid = pid, .pidfd = base::PrivateFd(base::open_pidfd(pid)), .channel = std::move(ours)};
}

}  // namespace pystream::api
