#include "coord/bookkeeping.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>

#include "base/clock.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "profile/bookkeeper.hpp"

namespace pystream::coord {
namespace {

// Descriptors as worker_main() expects them.
constexpr int kSegmentFd = 3;
constexpr int kChannelFd = 4;
constexpr int kFirstSpareFd = 10;
constexpr int kBeginMs = 15'000;

struct Sockets {
  base::UniqueFd mine;
  base::UniqueFd its;
};

Sockets make_sockets() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    base::throw_errno("cannot make a socket for the bookkeeper");
  }
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

/// In the child: nothing but standard error and what it is to have.
void keep_only(int segment_fd, int channel_fd) {
  const int segment = ::fcntl(segment_fd, F_DUPFD, kFirstSpareFd);
  const int channel = ::fcntl(channel_fd, F_DUPFD, kFirstSpareFd);
  ::dup2(segment, kSegmentFd);
  ::dup2(channel, kChannelFd);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::close_range(kChannelFd + 1, ~0U, 0);
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    std::signal(ignored, SIG_IGN);
  }
}

profile::KeyRole role_of(plan::Role role) {
  switch (role) {
    case plan::Role::source:
      return profile::KeyRole::source;
    case plan::Role::sink:
      return profile::KeyRole::sink;
    case plan::Role::stage:
      break;
  }
  return profile::KeyRole::stage;
}

/// Finds out what belongs to the pipeline `key`: stages whose key begins with it.
bool is_inside(const std::string& key, const std::string& pipeline) {
  return key.starts_with(pipeline + std::string(plan::kSeparator));
}

class KeyList {
 public:
  explicit KeyList(const plan::Topology& topology) : topology_(topology) {}

  std::vector<profile::KeyDescription> make() {
    add_main_pipeline();
    std::vector<std::uint32_t> next_index(topology_.workers.size());
    for (const plan::HostedSpec& hosted : topology_.hosted) {
      open_pipelines(hosted.key);
      keys_.push_back({.key = hosted.key,
                       .role = role_of(hosted.role),
                       .worker = hosted.worker,
                       .index = next_index[hosted.worker]++});
      position_of_.push_back(static_cast<std::uint32_t>(keys_.size() - 1));
    }
    for (profile::KeyDescription& key : keys_) {
      if (key.derived()) {
        find_ends(key);
      }
    }
    return std::move(keys_);
  }

 private:
  void add_main_pipeline() {
    for (std::uint32_t id = 0; id < topology_.workers.size(); ++id) {
      const plan::WorkerSpec& worker = topology_.workers[id];
      if (!worker.external && worker::leaves_pipeline(topology_, worker.segments.back())) {
        std::uint32_t hosted = 0;
        for (const plan::Segment& segment : worker.segments) {
          hosted += static_cast<std::uint32_t>(segment.hosted.size());
        }
        keys_.push_back({.key = std::string(plan::kMainPipeline),
                         .role = profile::KeyRole::pipeline,
                         .worker = id,
                         .index = hosted});
      }
    }
  }
  void open_pipelines(const std::string& stage) {
    for (; next_pipeline_ < topology_.pipeline_keys.size(); ++next_pipeline_) {
      const std::string& key = topology_.pipeline_keys[next_pipeline_];
      if (key == plan::kMainPipeline) {
        continue;
      }
      if (!is_inside(stage, key)) {
        return;
      }
      keys_.push_back({.key = key, .role = profile::KeyRole::pipeline, .index = profile::KeyDescription::kDerived});
    }
  }
  void find_ends(profile::KeyDescription& key) const {
    bool found = false;
    for (std::size_t i = 0; i < topology_.hosted.size(); ++i) {
      if (!is_inside(topology_.hosted[i].key, key.key)) {
        continue;
      }
      key.last = position_of_[i];
      if (!found) {
        found = true;
        key.first = position_of_[i];
        key.before = i > 0 ? std::optional(position_of_[i - 1]) : std::nullopt;
      }
    }
  }

  const plan::Topology& topology_;
  std::vector<profile::KeyDescription> keys_;
  std::vector<std::uint32_t> position_of_;  ///< of each hosted
  std::size_t next_pipeline_ = 0;
};

}  // namespace

profile::RunDescription describe_run(const plan::Plan& plan, const plan::Topology& topology,
                                     const worker::Layout& layout, const std::string& name) {
  profile::RunDescription description;
  description.database = profile::database_in(
      std::filesystem::absolute(profile::profiler_folder(plan.profiler_folder.value_or(std::filesystem::path()))));
  description.name = name;
  description.plan = layout.spec.plan;
  description.version = PYSTREAM_VERSION;
  description.coordinator_pid = static_cast<std::uint64_t>(::getpid());
  description.keys = KeyList(topology).make();
  for (std::size_t id = 0; id < topology.workers.size(); ++id) {
    const plan::WorkerSpec& worker = topology.workers[id];
    description.workers.push_back(
        {.name = worker.name, .external = worker.external, .output_links = layout.output_link.at(id)});
  }
  for (std::size_t id = 0; id < topology.links.size(); ++id) {
    const plan::LinkSpec& link = topology.links[id];
    description.links.push_back({.name = link.name,
                                 .producer = link.producer,
                                 .consumer = link.consumer,
                                 .overflow = std::string(plan::to_string(link.options.overflow)),
                                 .capacity_bytes = layout.spec.links.at(id).ring_bytes});
  }
  return description;
}

Bookkeeping::Bookkeeping(pid_t pid, base::UniqueFd channel)
    : pidfd_(base::open_pidfd(pid)), channel_(std::move(channel)) {}

std::unique_ptr<Bookkeeping> Bookkeeping::spawn(const std::filesystem::path& worker_program,
                                                const shm::Segment& segment, const profile::RunDescription& description,
                                                const RecordingLimits& limits) {
  Sockets sockets = make_sockets();
  std::array<std::string, 2> words{worker_program.string(), "bookkeeper"};
  std::array<char*, 3> argv{words[0].data(), words[1].data(), nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) {
    base::throw_errno("cannot start the bookkeeper");
  }
  if (pid == 0) {
    keep_only(segment.fd(), sockets.its.get());
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  sockets.its.reset();
  std::unique_ptr<Bookkeeping> bookkeeping(new Bookkeeping(pid, std::move(sockets.mine)));
  bookkeeping->begin(segment, description, limits);
  return bookkeeping;
}

std::unique_ptr<Bookkeeping> Bookkeeping::fork(const shm::Segment& segment, const profile::RunDescription& description,
                                               const RecordingLimits& limits) {
  Sockets sockets = make_sockets();
  const pid_t pid = ::fork();
  if (pid < 0) {
    base::throw_errno("cannot start the bookkeeper");
  }
  if (pid == 0) {
    keep_only(segment.fd(), sockets.its.get());
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::_exit(profile::run_bookkeeper(base::UniqueFd(kChannelFd), base::UniqueFd(kSegmentFd)));
  }
  sockets.its.reset();
  std::unique_ptr<Bookkeeping> bookkeeping(new Bookkeeping(pid, std::move(sockets.mine)));
  bookkeeping->begin(segment, description, limits);
  return bookkeeping;
}

void Bookkeeping::begin(const shm::Segment& segment, const profile::RunDescription& description,
                        const RecordingLimits& limits) {
  const std::string path = description.database.string();
  if (path.size() > shm::kDatabasePath) {
    throw ProfilingError("the path of the profile database is longer than " + std::to_string(shm::kDatabasePath) +
                         " bytes");
  }
  channel_.send(profile::MessageType::begin, profile::encode(description));
  const auto answer = channel_.receive_within(kBeginMs);
  if (!answer || answer->type != profile::MessageType::ready) {
    throw ProfilingError("the bookkeeper of the profiles does not answer");
  }
  profile::Decoder in(answer->body);
  run_ = in.get<std::int64_t>();
  const auto start_ns = in.get<std::int64_t>();
  if (run_ == 0) {
    throw ProfilingError(in.get<std::string>());
  }
  const shm::SupervisorView view = segment.map_supervisor();
  shm::ProfileConfig& config = *view.config;
  std::memcpy(config.path.data(), path.data(), path.size());
  config.path_bytes = static_cast<std::uint32_t>(path.size());
  config.run = static_cast<std::uint64_t>(run_);
  config.start_ns = static_cast<std::uint64_t>(start_ns);
  config.max_history = description.retention.max_history;
  config.rows_per_second = limits.rows_per_second;
  config.enabled = 1;
}

Bookkeeping::~Bookkeeping() {
  reap(0);
}

void Bookkeeping::event(profile::Event event) {
  if (!channel_.closed()) {
    channel_.send(profile::MessageType::event, profile::encode(event), 100);
  }
}

std::optional<profile::RunSummary> Bookkeeping::profiles(int timeout_ms) {
  if (channel_.closed() || !channel_.send(profile::MessageType::profiles, {})) {
    return std::nullopt;
  }
  const auto answer = channel_.receive_within(timeout_ms);
  if (!answer || answer->type != profile::MessageType::profiles || answer->body.empty()) {
    return std::nullopt;
  }
  return profile::decode_run_summary(answer->body);
}

void Bookkeeping::end(const std::string& outcome, const std::string& reason, const std::vector<std::uint32_t>& restarts,
                      int timeout_ms) {
  profile::Encoder body;
  body.put(outcome).put(reason);
  for (const std::uint32_t count : restarts) {
    body.put(count);
  }
  if (!channel_.closed() && channel_.send(profile::MessageType::end, body.bytes())) {
    reap(timeout_ms);
  }
}

void Bookkeeping::reap(int timeout_ms) {
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
}

}  // namespace pystream::coord
