#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pystream::plan {

/// Files for encrypted connections; empty: none.
struct TlsFiles {
  std::string ca;
  std::string cert;
  std::string key;

  bool operator==(const TlsFiles&) const = default;
};

/// What connects the hosts of a plan that runs on several: streams of NATS JetStream.
struct Cluster {
  std::string log;                     ///< the servers: "nats://n1,n2,n3"
  std::uint32_t replicas = 1;          ///< servers that keep each stream
  std::optional<std::uint64_t> bytes;  ///< that a stream holds; none: as the server says
  std::string credentials;             ///< file; empty: none
  TlsFiles tls;
  std::vector<std::string> moves;  ///< hosts whose part may be started on another machine

  bool operator==(const Cluster&) const = default;
};

/// Where a source without a host runs.
inline constexpr const char* kFirstHost = "main";

}  // namespace pystream::plan
