#include "coord/profiler_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "base/helper_process.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "profile/home.hpp"

namespace pystream::coord {
namespace {

constexpr int kDeathPatienceMs = 1'000;
constexpr int kQuestionMs = 200;  ///< for a database that another process locks, before a question stays unanswered
constexpr std::int64_t kQuickNs = 1'000'000'000;
constexpr int kMostQuickDeaths = 5;
constexpr std::size_t kMostEvents = 10'000;  ///< that wait for a database that is not there
constexpr std::size_t kLongestText = 16 << 10;
constexpr std::size_t kEventBytes = 96 << 10;  ///< on their way at once: fewer than a socket holds

struct Sockets {
  base::UniqueFd mine;
  base::UniqueFd its;
};

Sockets make_sockets() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    base::throw_errno("cannot make a socket for the profiler process");
  }
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0 || ::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) {
    base::throw_errno("cannot make a pipe for the profiler process");
  }
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

}  // namespace

profile::RunInfo describe_run(const plan::Plan& plan, const plan::Topology& topology, const std::string& plan_text,
                              const std::string& name, bool workers_are_forked) {
  profile::RunInfo info;
  info.database = profile::database_in(
      std::filesystem::absolute(profile::profiler_folder(plan.profiler.folder.value_or(std::filesystem::path()))));
  info.name = name;
  info.plan = plan_text;
  info.version = PYSTREAM_VERSION;
  info.coordinator_pid = static_cast<std::uint64_t>(::getpid());
  info.started = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  info.start_ns = base::now_ns() / shm::kWindowNs * shm::kWindowNs;
  info.retention = {.max_history = plan.profiler.max_history,
                    .rows_per_second = plan.profiler.rows_per_second,
                    .runs = plan.profiler.keep_runs,
                    .bytes = plan.profiler.keep_bytes};
  info.workers_write_rows = !workers_are_forked;
  info.topology = topology;
  return info;
}

namespace {

/// Tells the workers where the database is. REQUIRES: no worker was started yet.
void configure(shm::ProfileConfig& config, const profile::RunInfo& info) {
  const std::string path = info.database.string();
  if (path.size() > shm::kDatabasePath) {
    throw ProfilingError("the path of the profile database is longer than " + std::to_string(shm::kDatabasePath) +
                         " bytes");
  }
  config.path_bytes = static_cast<std::uint32_t>(path.copy(config.path.data(), config.path.size()));
  config.name_bytes = info.name.copy(config.name.data(), config.name.size());
  config.coordinator_pid = info.coordinator_pid;
  config.started = info.started;
  config.start_ns = static_cast<std::uint64_t>(info.start_ns);
  config.max_history = info.retention.max_history;
  config.rows_per_second = info.retention.rows_per_second;
}

}  // namespace

void keep_only_letters(const shm::Segment& segment, const profile::RunInfo& info) {
  const shm::SupervisorView view = segment.map_supervisor();
  configure(*view.config, info);
  view.config->run.store(shm::kNoRun, std::memory_order_release);
}

std::unique_ptr<ProfilerClient> ProfilerClient::spawn(std::filesystem::path worker_program, const shm::Segment& segment,
                                                      const profile::RunInfo& info, Warn warn) {
  return std::unique_ptr<ProfilerClient>(new ProfilerClient(std::move(worker_program), segment, info, std::move(warn)));
}

ProfilerClient::ProfilerClient(std::filesystem::path worker_program, const shm::Segment& segment,
                               const profile::RunInfo& info, Warn warn)
    : program_(std::move(worker_program)),
      segment_(segment),
      view_(segment.map_supervisor()),
      info_(base::encode(info)),
      warn_(std::move(warn)) {
  configure(*view_.config, info);
  view_.config->enabled = 1;
  start();
}

ProfilerClient::~ProfilerClient() {
  reap(0);
}

void ProfilerClient::start() {
  Sockets sockets = make_sockets();
  Pipe errors = make_pipe();
  const pid_t pid = base::start_helper({.arguments = {program_.string(), "profiler"},
                                        .fds = {segment_.fd(), sockets.its.get()},
                                        .errors = errors.write.get()});
  sockets.its.reset();
  errors_ = std::move(errors.read);
  pidfd_ = base::open_pidfd(pid);
  channel_.emplace(std::move(sockets.mine));
  ready_ = false;
  sent_ = 0;
  started_ns_ = base::now_ns();
  channel_->send(profile::MessageType::begin, info_);
  if (workers_started_) {
    channel_->send(profile::MessageType::go, {});
  }
}

void ProfilerClient::workers_started() {
  if (!std::exchange(workers_started_, true) && channel_) {
    channel_->send(profile::MessageType::go, {});
  }
}

void ProfilerClient::attach(base::EventLoop& loop) {
  loop_ = &loop;
  listen();
}

void ProfilerClient::listen() {
  if (loop_ != nullptr && channel_) {
    loop_->add(channel_->fd(), [this] { hear(); });
    if (errors_) {
      loop_->add(errors_.get(), [this] { read_errors(); });
    }
  }
}

void ProfilerClient::stop_listening() {
  if (loop_ != nullptr && channel_) {
    loop_->remove(channel_->fd());
    if (errors_) {
      loop_->remove(errors_.get());
    }
  }
}

void ProfilerClient::read_errors() {
  if (errors_ && !log_.read(errors_.get(), warn_)) {
    loop_->remove(errors_.get());  // a pipe at its end would call again and again
    errors_.reset();
  }
}

std::int64_t ProfilerClient::run() const {
  const std::uint64_t run = view_.config->run.load(std::memory_order_acquire);
  return run == shm::kNoRun ? 0 : static_cast<std::int64_t>(run);
}

/// Takes the profiler process's messages. If the profiler process has died, starts another.
void ProfilerClient::hear() {
  while (channel_) {
    if (const auto message = channel_->receive()) {
      take(*message);
    } else if (channel_->closed() && !done_) {
      replace();
    } else {
      return;
    }
  }
}

void ProfilerClient::take(const profile::Message& message) {
  switch (message.type) {
    case profile::MessageType::ready:
      take_ready(message);
      break;
    case profile::MessageType::held:
      held_ = message.body;
      break;
    case profile::MessageType::written: {
      const auto count = std::min<std::uint64_t>(base::decode<std::uint64_t>(message.body), sent_);
      events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
      sent_ -= count;
      stored_ += count;
      send_events(kEventBytes);
      break;
    }
    case profile::MessageType::profiles:
      answer_ = message.body.empty() ? profile::RunSummary{} : base::decode<profile::RunSummary>(message.body);
      break;
    case profile::MessageType::done:
      done_ = true;
      break;
    default:
      break;
  }
}

void ProfilerClient::take_ready(const profile::Message& message) {
  base::Decoder in(message.body);
  const auto run = in.get<std::int64_t>();
  const auto standing = in.get<std::uint64_t>();
  if (run == 0) {
    give_up(in.get<std::string>());
    return;
  }
  ready_ = true;
  held_.clear();
  // What a predecessor wrote and could not tell of.
  const std::uint64_t known = standing > stored_ ? std::min<std::uint64_t>(standing - stored_, events_.size()) : 0;
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(known));
  stored_ += known;
  send_events(kEventBytes);
}

void ProfilerClient::replace() {
  stop_listening();
  reap(kDeathPatienceMs);
  quick_deaths_ = base::now_ns() - started_ns_ < kQuickNs ? quick_deaths_ + 1 : 0;
  if (quick_deaths_ > kMostQuickDeaths) {
    channel_.reset();
    give_up("the profiler process died " + std::to_string(quick_deaths_) + " times");
    return;
  }
  try {
    start();
    listen();
  } catch (const std::exception& error) {
    channel_.reset();
    give_up(error.what());
  }
}

void ProfilerClient::give_up(const std::string& why) {
  stop_listening();
  reap(kDeathPatienceMs);
  channel_.reset();
  failure_ = why;
  std::uint64_t none = shm::kRunNotYet;
  view_.config->run.compare_exchange_strong(none, shm::kNoRun, std::memory_order_release);
  warn_("no profile is written: " + why);
}

void ProfilerClient::event(const profile::Event& event) {
  if (!channel_) {
    return;
  }
  profile::Event shortened = event;
  shortened.text.resize(std::min(shortened.text.size(), kLongestText));
  events_.push_back(base::encode(shortened));
  if (events_.size() > kMostEvents && sent_ < events_.size()) {
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(sent_));
  }
  send_events(kEventBytes);
}

/// No more than the socket holds, so that this process never waits for a profiler process that waits for its database.
void ProfilerClient::send_events(std::size_t most_bytes) {
  std::size_t on_their_way = 0;
  for (std::size_t i = 0; i < sent_; ++i) {
    on_their_way += events_[i].size();
  }
  while (channel_ && ready_ && sent_ < events_.size() && on_their_way < most_bytes) {
    on_their_way += events_[sent_].size();
    if (!channel_->send(profile::MessageType::event, events_[sent_])) {
      return;
    }
    ++sent_;
  }
}

/// False if there is no point in waiting on: it is too late, or a signal asks to give up.
bool ProfilerClient::wait_for_word(std::int64_t until_ns) const {
  const std::int64_t left_ms = (until_ns - base::now_ns() + 999'999) / 1'000'000;
  if (left_ms <= 0) {
    return false;
  }
  std::array<pollfd, 2> polled{pollfd{.fd = channel_->fd(), .events = POLLIN, .revents = 0},
                               pollfd{.fd = give_up_fd_, .events = POLLIN, .revents = 0}};
  ::poll(polled.data(), polled.size(), static_cast<int>(left_ms));
  return polled[1].revents == 0;
}

/// `others_ms`: for a database that another process holds.
bool ProfilerClient::wait_until_ready(std::int64_t until_ns, int others_ms) {
  workers_started();
  const std::int64_t others_until_ns = base::now_ns() + std::int64_t{others_ms} * 1'000'000;
  while (channel_ && !ready_) {
    hear();
    const std::int64_t end_ns = held_.empty() ? until_ns : std::min(until_ns, others_until_ns);
    if (!channel_ || ready_ || !wait_for_word(end_ns)) {
      break;
    }
  }
  return channel_ && ready_;
}

std::optional<profile::RunSummary> ProfilerClient::profiles(int timeout_ms) {
  const std::int64_t until = base::now_ns() + std::int64_t{timeout_ms} * 1'000'000;
  if (!wait_until_ready(until, kQuestionMs)) {
    return std::nullopt;
  }
  if (!channel_->send(profile::MessageType::profiles, {})) {
    hear();  // it has died; the next call asks its successor
    return std::nullopt;
  }
  answer_.reset();
  while (channel_ && ready_ && !answer_ && base::now_ns() < until) {
    pollfd poll{.fd = channel_->fd(), .events = POLLIN, .revents = 0};
    ::poll(&poll, 1, static_cast<int>((until - base::now_ns()) / 1'000'000 + 1));
    hear();
  }
  if (!answer_ || answer_->run == 0) {
    return std::nullopt;
  }
  return std::exchange(answer_, std::nullopt);
}

void ProfilerClient::end(const std::string& outcome, const std::string& reason,
                         const std::vector<std::uint32_t>& restarts, int timeout_ms, int give_up_fd) {
  give_up_fd_ = give_up_fd;
  stop_listening();
  loop_ = nullptr;
  const std::string body = base::Encoder().put(outcome).put(reason).put(restarts).bytes();
  const std::int64_t until = base::now_ns() + std::int64_t{timeout_ms} * 1'000'000;
  while (!done_ && wait_until_ready(until, others_ms_)) {
    send_events(~std::size_t{0});
    channel_->send(profile::MessageType::end, body);
    bool waits = true;
    while (waits && channel_ && !done_ && !channel_->closed()) {
      waits = wait_for_word(until);
      while (const auto message = channel_->receive()) {
        take(*message);
      }
    }
    if (!done_ && !waits) {
      break;
    }
    if (!done_) {
      replace();
    }
  }
  if (!done_ && !held_.empty()) {
    failure_ = held_;
    warn_("the profile of this run is not written: " + held_);
  }
  reap(done_ ? kDeathPatienceMs : 0);
}

void ProfilerClient::reap(int timeout_ms) {
  if (!pidfd_) {
    return;
  }
  pollfd poll{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poll, 1, timeout_ms) <= 0) {
    base::send_signal(pidfd_, SIGKILL);
    ::poll(&poll, 1, 1000);
  }
  base::try_reap(pidfd_);
  pidfd_.reset();
  if (errors_) {
    [[maybe_unused]] const bool more = log_.read(errors_.get(), warn_);
    log_.finish(warn_);
    errors_.reset();
  }
}

}  // namespace pystream::coord
