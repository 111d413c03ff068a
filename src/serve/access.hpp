#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http.hpp"

/// Who may ask what. A browser that shows a page from elsewhere can send requests to this server, and a name of that
/// page can be made to lead here (DNS rebinding); neither must get an answer.
namespace pystream::serve {

struct Access {
  std::vector<std::string> hosts;    ///< what the header Host may say, as "localhost:8080"
  std::vector<std::string> schemes;  ///< of pages that may ask, as "http"
  std::string token;                 ///< empty: there is none
  bool allow_control = false;        ///< whoever shows the token may stop pipelines and replay letters
  bool token_for_reading = false;    ///< whoever reads figures and items has to show it, too
};

/// 256 bits that cannot be guessed, as 64 hexadecimal digits.
std::string random_token();

/// Without telling by the time it takes how much of it is right.
bool is_token(std::string_view given, std::string_view token);

/// The names under which a server that listens on `address` and `port` may be asked: `names` where there are some,
/// else those of the loopback interface. A name without a port stands for the one with `port`, too.
std::vector<std::string> allowed_hosts(const std::string& address, int port, const std::vector<std::string>& names);

/// Whether an address is one of this machine's loopback interface.
bool is_loopback(const std::string& address);

/// Why the request must not be answered; nullopt: it may. Every POST controls something. `has_data`: the answer holds
/// figures or items, and is not a part of the page.
std::optional<Answer> refusal(const Access& access, const Request& request, bool has_data);

}  // namespace pystream::serve
