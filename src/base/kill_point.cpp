#include "base/kill_point.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

/// Part of libraries with kill points only.
namespace pystream::base {
namespace {

constexpr std::array<std::string_view, 12> kNames{"before_exec",    "attaching",   "before_reserve", "in_payload",
                                                  "before_run",     "in_run",      "before_commit",  "before_wake",
                                                  "before_release", "before_room", "asleep",         "in_transaction"};
constexpr unsigned kNobody = ~0U;
constexpr std::size_t kTokenBytes = 512;

unsigned g_worker = kNobody;
std::array<unsigned, kNames.size()> g_visits{};

std::string_view cut(std::string_view& text, char at) {
  const std::size_t end = std::min(text.find(at), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

unsigned number_in(std::string_view text) {
  unsigned number = kNobody;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct Order {
  explicit Order(std::string_view text)
      : point(cut(text, ':')), worker(number_in(cut(text, ':'))), nth(number_in(cut(text, ':'))), token(text) {}
  bool is_for(std::size_t here, unsigned visit) const {
    return worker == g_worker && nth == visit && point == kNames.at(here);
  }
  std::string_view point;
  unsigned worker;
  unsigned nth;
  std::string_view token;
};

/// As system calls take it.
struct Path {
  explicit Path(std::string_view text) { text.copy(bytes, kTokenBytes - 1); }
  char bytes[kTokenBytes] = {};
};

/// Cheap, so that a library with kill points is not much slower.
bool any_order_is_for(std::string_view orders, std::size_t here, unsigned visit) {
  while (!orders.empty()) {
    if (Order(cut(orders, ',')).is_for(here, visit)) {
      return true;
    }
  }
  return false;
}

/// Sleeps for ever: the signal arrives a moment later.
void die_soon() {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec when{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1'000'000}};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) {
    ::timer_settime(timer, 0, &when, nullptr);
  }
}

}  // namespace

void note_worker_of_kill_points(unsigned worker) {
  g_worker = worker;
}

void die_if_told(KillPoint point) {
  const char* told = std::getenv("PYSTREAM_KILL_AT");
  if (told == nullptr || g_worker == kNobody) {
    return;
  }
  const auto index = static_cast<std::size_t>(point);
  const unsigned visit = ++g_visits.at(index);
  if (!any_order_is_for(told, index, visit)) {
    return;
  }
  for (std::string_view orders = told; !orders.empty();) {
    const Order order(cut(orders, ','));
    const Path token(order.token);
    if (::access(token.bytes, F_OK) != 0) {
      continue;  // carried out
    }
    if (order.is_for(index, visit) && ::unlink(token.bytes) == 0) {
      if (point == KillPoint::asleep) {
        die_soon();
      } else {
        ::kill(::getpid(), SIGKILL);
      }
    }
    return;
  }
}

}  // namespace pystream::base
