#include "coord/interrupts.hpp"

#include <csignal>

namespace pystream::coord {
namespace {

constexpr std::chrono::nanoseconds kEchoTime = std::chrono::milliseconds(500);

}  // namespace

Interrupts::Request Interrupts::on_signal(int signal, bool from_kernel, std::chrono::nanoseconds now) {
  if (signal == SIGQUIT) {
    return Request::stop;
  }
  if (!first_) {
    first_ = now;
    return Request::drain;
  }
  if (signal == SIGHUP) {
    return Request::nothing;
  }
  const bool pressed_again = signal == SIGINT && from_kernel;
  return pressed_again || now - *first_ >= kEchoTime ? Request::stop : Request::nothing;
}

}  // namespace pystream::coord
