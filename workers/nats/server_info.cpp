#include "nats/server_info.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <pystream/error.hpp>

#include "core/descriptor.hpp"

namespace pystream::nats {
namespace {

constexpr std::string_view kScheme = "://";
constexpr int kAnswerMs = 2'000;
constexpr std::size_t kLongestGreeting = std::size_t{64} << 10;

using Version = std::array<int, 3>;
constexpr Version kSingle{2, 10, 27};
constexpr Version kCluster{2, 15, 0};

/// "2.10.27-beta" → its three numbers; all 0 if it is none.
Version parse_version(std::string_view text) {
  Version version{};
  for (std::size_t i = 0; i < version.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[i]);
    if (error != std::errc()) {
      return {};
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty() && text.front() == '.') {
      text.remove_prefix(1);
    }
  }
  return version;
}

std::string to_string(const Version& version) {
  return std::to_string(version[0]) + "." + std::to_string(version[1]) + "." + std::to_string(version[2]);
}

/// The text of a field of the greeting, which is one object of JSON without nested ones in front of these fields.
std::string text_field(std::string_view json, std::string_view name) {
  const std::string start = "\"" + std::string(name) + "\":\"";
  const std::size_t at = json.find(start);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = json.substr(at + start.size());
  const std::size_t end = rest.find('"');
  return end == std::string_view::npos || end > 64 ? std::string() : std::string(rest.substr(0, end));
}

core::Descriptor connect_to(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return core::Descriptor();
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    core::Descriptor socket(
        ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol));
    if (!socket.valid()) {
      continue;
    }
    const int connected = ::connect(socket.get(), one->ai_addr, one->ai_addrlen);
    pollfd waits{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    if (connected == 0 ||
        (errno == EINPROGRESS && ::poll(&waits, 1, kAnswerMs) == 1 && (waits.revents & POLLERR) == 0)) {
      return socket;
    }
  }
  return core::Descriptor();
}

}  // namespace

std::vector<std::string> split_urls(std::string_view urls) {
  const auto refuse = [&](const std::string& why) {
    throw InvalidParam("nats: \"log\" is \"" + std::string(urls) + "\": " + why +
                       "; expected nats://HOST[:PORT][,HOST[:PORT]]…");
  };
  const std::size_t at = urls.find(kScheme);
  if (at == std::string_view::npos || (urls.substr(0, at) != "nats" && urls.substr(0, at) != "tls")) {
    refuse("it does not begin with nats://");
  }
  const std::string scheme(urls.substr(0, at + kScheme.size()));
  std::string_view rest = urls.substr(at + kScheme.size());
  std::vector<std::string> result;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    if (one.starts_with(scheme)) {
      one.remove_prefix(scheme.size());
    }
    if (one.empty() || one.find_first_of("/ \t\n") != std::string_view::npos) {
      refuse("\"" + std::string(one) + "\" is no host");
    }
    result.push_back(scheme + std::string(one));
    if (comma == std::string_view::npos) {
      return result;
    }
    rest.remove_prefix(comma + 1);
  }
}

ServerInfo parse_greeting(std::string_view untrusted) {
  if (!untrusted.starts_with("INFO ")) {
    return {};
  }
  return {.version = text_field(untrusted, "version"), .cluster = text_field(untrusted, "cluster")};
}

ServerInfo read_server_info(const std::string& url) {
  std::string host = url.substr(url.find(kScheme) + kScheme.size());
  if (const std::size_t user = host.rfind('@'); user != std::string::npos) {
    host.erase(0, user + 1);
  }
  std::string port = "4222";
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    port = host.substr(colon + 1);
    host.resize(colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  const core::Descriptor socket = connect_to(host, port);
  std::string greeting;
  std::array<char, 4096> buffer;
  while (socket.valid() && greeting.size() < kLongestGreeting && greeting.find('\n') == std::string::npos) {
    pollfd waits{.fd = socket.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waits, 1, kAnswerMs);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    const ssize_t got = ready == 1 ? ::read(socket.get(), buffer.data(), buffer.size()) : 0;
    if (got <= 0) {
      break;
    }
    greeting.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return parse_greeting(greeting);
}

void require_reliable(const ServerInfo& info, const std::string& url) {
  const Version& needed = info.cluster.empty() ? kSingle : kCluster;
  if (parse_version(info.version) < needed) {
    throw Error("the NATS server at " + url + " has version " + info.version +
                (info.cluster.empty() ? "" : " in a cluster") +
                "; older servers have lost data that they had acknowledged: expected at least " + to_string(kSingle) +
                " alone, and " + to_string(kCluster) + " in a cluster");
  }
}

}  // namespace pystream::nats
