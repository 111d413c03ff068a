#include "api/news.hpp"

#include <utility>

#include "base/log.hpp"

namespace pystream::api {

void News::add(std::string text) {
  const std::lock_guard lock(mutex_);
  texts_.push_back(std::move(text));
  any_.store(true, std::memory_order_relaxed);
}

/// REQUIRES: telling_ is held.
void News::tell_with(bool (*say)(const std::string& text)) {
  while (true) {
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      if (texts_.empty()) {
        any_.store(false, std::memory_order_relaxed);
        return;
      }
      text = texts_.front();
    }
    if (!say(text)) {
      return;
    }
    const std::lock_guard lock(mutex_);
    texts_.pop_front();
  }
}

void News::tell() {
  if (!any_.load(std::memory_order_relaxed)) {
    return;
  }
  if (const std::unique_lock lock(telling_, std::try_to_lock); lock) {
    tell_with([](const std::string& text) { return base::try_log(LogLevel::warning, text); });
  }
}

void News::tell_all() {
  if (telling_.is_mine()) {
    return;
  }
  const std::lock_guard lock(telling_);
  tell_with([](const std::string& text) {
    base::log(LogLevel::warning, text);
    return true;
  });
}

}  // namespace pystream::api
