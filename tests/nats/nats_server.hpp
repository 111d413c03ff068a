#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "nats/server_info.hpp"
#include "support/temp_folder.hpp"

/// A real NATS server for tests.
namespace pystream::test {

/// The server program that scripts/setup.sh nats has unpacked, or that is installed.
inline std::string nats_server_program() {
  for (const std::string& path : {std::string(PYSTREAM_NATS_FOLDER) + "/nats-server",
                                  std::string("/usr/bin/nats-server"), std::string("/usr/sbin/nats-server")}) {
    if (::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return {};
}

inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

class NatsServer {
 public:
  explicit NatsServer(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }
  ~NatsServer() { kill(); }
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  const std::filesystem::path& folder() const { return folder_.path(); }

  /// On the same port, with what it has stored.
  void start() {
    std::vector<std::string> arguments{
        nats_server_program(),    "-a", "127.0.0.1",           "-p", std::to_string(port_), "-js", "-sd",
        folder_.path() / "store", "-l", folder_.path() / "log"};
    arguments.insert(arguments.end(), more_.begin(), more_.end());
    std::vector<char*> words;
    for (std::string& argument : arguments) {
      words.push_back(argument.data());
    }
    words.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::execv(words[0], words.data());
      ::_exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (nats::read_server_info(url()).version.empty()) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("the NATS server does not answer");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  void kill() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
      process_ = -1;
    }
  }

 private:
  TempFolder folder_;
  std::vector<std::string> more_;
  int port_ = free_port();
  pid_t process_ = -1;
};

}  // namespace pystream::test
