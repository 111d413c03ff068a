#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pystream::nats {

/// What a server says of itself before a client says anything.
struct ServerInfo {
  std::string version;
  std::string cluster;  ///< empty: it is alone
};

/// "nats://a,b:4223" → "nats://a", "nats://b:4223". Throws InvalidParam if it is not a list of servers.
std::vector<std::string> split_urls(std::string_view urls);

/// Reads the greeting of the server at such an address. Empty if it does not answer soon.
ServerInfo read_server_info(const std::string& url);
/// From the greeting itself, which comes from the network.
ServerInfo parse_greeting(std::string_view untrusted);

/// Throws Error unless this server keeps what it acknowledges: older ones have lost it.
void require_reliable(const ServerInfo& info, const std::string& url);

}  // namespace pystream::nats
