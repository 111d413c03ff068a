#include "nats/log_reader.hpp"

#include <algorithm>
#include <utility>

#include "nats/log_error.hpp"
#include "nats/log_writer.hpp"
#include "nats/rules.hpp"

namespace pystream::nats {
namespace {

using std::chrono::milliseconds;

}  // namespace

LogReader::LogReader(Log& log, Log* journal, Patience& patience, Identity identity)
    : log_(log), journal_(journal), patience_(patience), identity_(std::move(identity)) {}

std::optional<LogEntry> LogReader::read(std::uint64_t number, milliseconds wait) {
  for (unsigned attempt = 1;; ++attempt) {
    try {
      auto entry = log_.read(number, wait);
      if (attempt > 1) {
        patience_.note_success();
      }
      return entry;
    } catch (const LogUnreachable& fault) {
      patience_.wait(attempt, fault.what());
    }
  }
}

LogEntry LogReader::last_of(Log& log) {
  for (unsigned attempt = 1;; ++attempt) {
    try {
      LogEntry entry = log.last();
      if (entry.number > 0 && entry.parcel.empty() && !broken(Rule::keep_last_parcel)) {
        throw LogUnusable("the log has given out the number " + std::to_string(entry.number) +
                          ", and holds no parcel: its last one was removed; begin a new run");
      }
      if (attempt > 1) {
        patience_.note_success();
      }
      return entry;
    } catch (const LogUnreachable& fault) {
      patience_.wait(attempt, fault.what());
    }
  }
}

LogReader::Done LogReader::done() {
  const LogEntry entry = journal_ != nullptr ? last_of(*journal_) : LogEntry{};
  if (entry.number == 0 || entry.parcel.empty()) {
    return {};
  }
  const ParcelHeader header = decode_parcel(entry.parcel).header;
  return {.upto = header.upto, .all = header.end};
}

void LogReader::start(const Position& position) {
  position_ = position;
  parcel_ = {};
  index_ = 0;
  ended_ = false;
  taken_.clear();
  find_start();
}

/// Finds the first parcel that ends behind the position: ends grow with the numbers.
void LogReader::find_start() {
  next_ = 1;
  if (position_ == Position{}) {
    return;
  }
  const LogEntry last = last_of(log_);
  const auto first = last.number > 0 ? read(1, milliseconds(0)) : std::nullopt;
  if (!first) {
    return;
  }
  std::uint64_t low = first->number;
  std::uint64_t high = last.number;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto entry = read(middle, milliseconds(0));
    if (!entry || decode_parcel(entry->parcel).header.upto > position_) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  next_ = low;
  known_last_ = last.number;
  if (low > 1) {
    taken_.push_back({.number = low - 1, .upto = position_});  // a predecessor may not have released what it had done
  }
}

LogReader::Got LogReader::next(ParcelItem& item, milliseconds wait) {
  while (true) {
    while (index_ < parcel_.items.size()) {
      const Position end = parcel_.ends[index_];
      const ParcelItem& found = parcel_.items[index_++];
      if (end > position_ || broken(Rule::count_items)) {
        position_ = end;
        item = found;
        return Got::item;
      }
    }
    if (parcel_.header.upto > position_) {
      position_ = parcel_.header.upto;
    }
    if (ended_) {
      return Got::end;
    }
    if (!fetch(wait)) {
      return Got::nothing;
    }
  }
}

/// The next parcel that goes on behind the position; false: there is none yet.
bool LogReader::fetch(milliseconds wait) {
  auto entry = read(next_, wait);
  if (!entry) {
    look_back();
    return false;
  }
  Parcel parcel = decode_parcel(entry->parcel);
  require_same(identity_, parcel.header.identity);
  if (parcel.header.from > position_ && !broken(Rule::count_items)) {
    bridge_gap(parcel.header.from);
    return false;
  }
  next_ = entry->number + 1;
  known_last_ = std::max(known_last_, entry->number);
  // What the numbers say was read before, and stands there once more, is released once.
  while (!taken_.empty() && taken_.back().number >= entry->number) {
    taken_.pop_back();
  }
  taken_.push_back({.number = entry->number, .upto = parcel.header.upto});
  bytes_ = std::move(entry->parcel);
  parcel_ = std::move(parcel);  // its items point into the same memory
  index_ = 0;
  ended_ = parcel_.header.end;
  return true;
}

/// Nothing comes: is it because the log has gone back behind what was read?
void LogReader::look_back() {
  const LogEntry last = last_of(log_);
  known_last_ = last.number;
  if (last.number > 0 && last.number + 1 < next_) {
    next_ = last.number;
  } else if (last.number > 0 && last.number < next_ && decode_parcel(last.parcel).header.upto > position_) {
    next_ = last.number;
  } else if (last.number == 0) {
    next_ = 1;
  }
}

/// The parcel that comes next begins behind the position. Either the log has gone back, and what is missing stands
/// under a smaller number; or it was released, since a twin of this part has done it; or it is lost.
void LogReader::bridge_gap(const Position& from) {
  if (next_ > 1) {
    const auto before = read(next_ - 1, milliseconds(0));
    if (before && before->number == next_ - 1) {
      --next_;
      return;
    }
  }
  const Position done_by_twin = broken(Rule::ask_twin_for_gap) ? Position{} : done().upto;
  if (done_by_twin.sequence > position_.sequence) {
    start({done_by_twin.sequence, 0});
    return;
  }
  // Its number was a guess: the parcel that is there may be a later one.
  const auto first = read(1, milliseconds(0));
  if (first && decode_parcel(first->parcel).header.from <= position_) {
    find_start();
    return;
  }
  throw LogUnusable("input is gone: the log goes on at " + to_string(from) + ", and this part has read up to " +
                    to_string(position_) + "; somebody removed it, or it was released before this part was done");
}

void LogReader::release(std::chrono::nanoseconds now, std::chrono::nanoseconds keep) {
  if (taken_.empty()) {
    return;
  }
  const Position done_now = done().upto;
  std::optional<std::uint64_t> upto;
  for (Taken& parcel : taken_) {
    if (parcel.number >= known_last_ && !broken(Rule::keep_last_parcel)) {
      break;  // the last parcel must never vanish
    }
    const bool is_done = parcel.upto.sequence < done_now.sequence ||
                         (parcel.upto.sequence == done_now.sequence && parcel.upto.outputs == 0);
    if (!is_done) {
      parcel.done_at.reset();
      break;
    }
    parcel.done_at = parcel.done_at.value_or(now);
    if (now - *parcel.done_at >= keep || broken(Rule::release_late)) {
      upto = parcel.number;
    }
  }
  if (!upto) {
    return;
  }
  try {
    log_.release(*upto);
  } catch (const LogUnreachable&) {
    return;  // it is tried again
  }
  while (!taken_.empty() && taken_.front().number <= *upto) {
    taken_.pop_front();
  }
}

}  // namespace pystream::nats
