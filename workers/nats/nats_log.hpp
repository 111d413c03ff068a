#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "nats/log.hpp"

namespace pystream::nats {

/// How to reach the servers.
struct ServerSettings {
  std::string urls;         ///< "nats://a,b"
  std::string credentials;  ///< file; empty: none
  std::string tls_ca;       ///< files; all empty: no TLS
  std::string tls_cert;
  std::string tls_key;
};

struct StreamSettings {
  std::string name;
  int replicas = 1;
  std::int64_t capacity = 0;  ///< bytes
};

/// A connection to NATS JetStream. Waits for servers that are not there yet. Throws Error if they refuse this client,
/// or are too old to keep what they acknowledge.
class NatsConnection {
 public:
  explicit NatsConnection(const ServerSettings& settings);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  /// The stream of this name as a log; it is made if it is not there. Throws Error if it is there with settings that
  /// could lose something. The connection outlives the log.
  std::unique_ptr<Log> open(const StreamSettings& settings);
  /// Largest message that the servers take, in bytes.
  std::int64_t largest_message() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pystream::nats
