#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A request and its answer, whatever brings them here. All of a request is untrusted.
namespace pystream::serve {

struct Request {
  std::string method;
  std::string path;                          ///< decoded, without the query
  std::map<std::string, std::string> query;  ///< decoded; of a name that is there twice the first
  std::vector<std::pair<std::string, std::string>> headers;

  /// Of a header that is there once; nullopt: it is not. Names are compared without regard to case.
  std::optional<std::string> header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  /// A whole number from the query; nullopt: it is missing or something else.
  std::optional<std::int64_t> number(const std::string& name) const;
};

struct Answer {
  int status = 200;
  std::string type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// {"error": "..."} with this status.
Answer failure(int status, std::string_view text);

/// Two texts without regard to the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b);

}  // namespace pystream::serve
