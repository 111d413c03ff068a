#include "serve/access.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/system_error.hpp"

namespace pystream::serve {
namespace {

bool is_allowed_host(const Access& access, std::string_view host) {
  return std::ranges::any_of(access.hosts, [&](const std::string& allowed) { return same_name(allowed, host); });
}

/// "http://localhost:8080"
bool is_allowed_origin(const Access& access, std::string_view origin) {
  const std::size_t at = origin.find("://");
  return at != std::string_view::npos &&
         std::ranges::find(access.schemes, origin.substr(0, at)) != access.schemes.end() &&
         is_allowed_host(access, origin.substr(at + 3));
}

/// Of "Bearer TOKEN".
std::string bearer(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string given = request.header("Authorization").value_or("");
  return given.size() > kScheme.size() && same_name(std::string_view(given).substr(0, kScheme.size()), kScheme)
             ? given.substr(kScheme.size())
             : std::string();
}

std::optional<Answer> fault_of_place(const Access& access, const Request& request) {
  const auto host = request.header("Host");
  if (!host || !is_allowed_host(access, *host)) {
    return failure(421, "this server does not answer under that name; --host allows further ones");
  }
  if (request.count("Origin") > 0 && !is_allowed_origin(access, request.header("Origin").value_or(""))) {
    return failure(403, "pages of other origins may not ask");
  }
  const std::string site = request.header("Sec-Fetch-Site").value_or("none");
  if (request.count("Sec-Fetch-Site") > 0 && site != "same-origin" && site != "none") {
    return failure(403, "pages of other sites may not ask");
  }
  return std::nullopt;
}

}  // namespace

std::string random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    base::throw_errno("cannot make a random token");
  }
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4U];
    token += "0123456789abcdef"[byte & 15U];
  }
  return token;
}

bool is_token(std::string_view given, std::string_view token) {
  if (token.empty()) {
    return false;
  }
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char letter = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned>(static_cast<unsigned char>(letter) ^ static_cast<unsigned char>(token[i]));
  }
  return difference == 0;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

std::vector<std::string> allowed_hosts(const std::string& address, int port, const std::vector<std::string>& names) {
  std::vector<std::string> hosts;
  const std::string behind = ":" + std::to_string(port);
  for (const std::string& name : names) {
    hosts.push_back(name);
    if (name.find(':') == std::string::npos) {
      hosts.push_back(name + behind);
    }
  }
  if (is_loopback(address)) {
    for (const std::string& name : {std::string("localhost"), std::string("127.0.0.1"), std::string("[::1]"),
                                    address.find(':') == std::string::npos ? address : "[" + address + "]"}) {
      hosts.push_back(name + behind);
    }
  }
  return hosts;
}

std::optional<Answer> refusal(const Access& access, const Request& request, bool has_data) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads && request.method != "POST") {
    Answer answer = failure(405, "expected GET, HEAD or POST");
    answer.headers.emplace_back("Allow", "GET, HEAD, POST");
    return answer;
  }
  if (auto answer = fault_of_place(access, request)) {
    return answer;
  }
  if (!reads && !access.allow_control) {
    return failure(403, "this server only reads; start it with --allow-control to stop pipelines and replay letters");
  }
  if (!reads && request.count("Origin") == 0) {
    return failure(403, "the header Origin is missing");
  }
  if ((!reads || (has_data && access.token_for_reading)) && !is_token(bearer(request), access.token)) {
    Answer answer = failure(401, "the token is missing or wrong; it stands where the server was started");
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  return std::nullopt;
}

}  // namespace pystream::serve
