#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/publisher.hpp>
#include <iceoryx_posh/popo/subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <string>

#include "bench/hop_channels.hpp"

namespace pystream::bench {

/// iceoryx's daemon, for as long as this object lives.
class RouDi {
 public:
  RouDi() : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, STDOUT_FILENO);
      ::dup2(null, STDERR_FILENO);
      ::execlp("iox-roudi", "iox-roudi", "--log-level", "off", nullptr);
      ::_exit(127);
    }
  }
  ~RouDi() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  RouDi(const RouDi&) = delete;
  RouDi& operator=(const RouDi&) = delete;

  /// Whether it still runs after a moment: it ends at once where another one runs, or it is not installed.
  bool runs() const {
    ::usleep(500'000);
    return ::waitpid(pid_, nullptr, WNOHANG) == 0;
  }

 private:
  pid_t pid_;
};

/// A topic with back-pressure, polled.
class IceoryxChannel {
 public:
  IceoryxChannel() : id_(std::to_string(::getpid()) + "-" + std::to_string(++count_)) {}

  void attach_sender() {
    join();
    iox::popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    publisher_.emplace(topic(), options);
    while (!publisher_->hasSubscribers()) {
      ::usleep(1000);
    }
  }
  void attach_receiver() {
    join();
    iox::popo::SubscriberOptions options;
    options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    subscriber_.emplace(topic(), options);
  }
  /// The runtime tells the daemon in a static destructor, which _exit would skip.
  static void leave() { std::exit(EXIT_SUCCESS); }

  void send(const Message& message) {
    for (;;) {
      auto loan = publisher_->loan(message);
      if (!loan.has_error()) {
        loan.value().publish();
        return;
      }
    }
  }
  void receive(Message& message) {
    for (;;) {
      auto sample = subscriber_->take();
      if (!sample.has_error()) {
        message = *sample.value();
        return;
      }
    }
  }

 private:
  iox::capro::ServiceDescription topic() const {
    return {"pystream", "bench", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, id_)};
  }
  /// Once in each process.
  static void join() {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kOff,
                                                             iox::log::LogLevelOutput::kHideLogLevel);
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity, "pystream-bench-" + std::to_string(::getpid())));
  }

  static inline int count_ = 0;
  std::string id_;
  std::optional<iox::popo::Publisher<Message>> publisher_;
  std::optional<iox::popo::Subscriber<Message>> subscriber_;
};

}  // namespace pystream::bench
