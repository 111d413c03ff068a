#include "nats/log_writer.hpp"

#include <algorithm>
#include <utility>

#include "nats/log_error.hpp"
#include "nats/rules.hpp"

namespace pystream::nats {
namespace {

/// A server that was the leader until now may still answer with what it knew. So often the log is asked before what it
/// acknowledged counts as lost.
constexpr unsigned kLooksBeforeLoss = 10;

}  // namespace

void require_same(const Identity& mine, const Identity& of_log) {
  const auto require = [](const char* what, const std::string& one, const std::string& other) {
    if (!one.empty() && !other.empty() && one != other) {
      throw LogUnusable(std::string("the parts of this plan do not fit together: their ") + what + " are \"" + one +
                        "\" here and \"" + other + "\" in the log; run the same plan everywhere, or a new run");
    }
  };
  require("item types", mine.item_type, of_log.item_type);
  require("plan hashes", mine.plan_hash, of_log.plan_hash);
}

LogWriter::LogWriter(Log& log, Patience& patience, Identity identity, ParcelLimits limits)
    : log_(log), patience_(patience), identity_(std::move(identity)), limits_(limits) {}

void LogWriter::start(const Progress& before, bool claims) {
  seen_ = before.seen;
  held_from_ = before.handed_over;
  look();
  if (claims) {
    claim();
  }
}

/// Continues behind the last parcel of the log, even if a twin wrote it.
void LogWriter::look() {
  unsigned attempt = 0;
  while (true) {
    try {
      const LogEntry entry = log_.last();
      Parcel parcel;
      if (entry.number > 0) {
        if (entry.parcel.empty() && !broken(Rule::keep_last_parcel)) {
          throw LogUnusable("the log has given out the number " + std::to_string(entry.number) +
                            ", and holds no parcel: its last one was removed, so nobody knows what is done; begin a "
                            "new run");
        }
        if (!entry.parcel.empty()) {
          parcel = decode_parcel(entry.parcel);
        }
        require_same(identity_, parcel.header.identity);
      }
      if (claims_ && parcel.header.epoch > epoch_ && !broken(Rule::obey_higher_epoch)) {
        throw TakenOver("another instance of this part has taken over: the log has epoch " +
                        std::to_string(parcel.header.epoch) + ", this one " + std::to_string(epoch_));
      }
      // What is missing in between was acknowledged, and is held here no more.
      const bool lost = parcel.header.upto < held_from_ && !broken(Rule::keep_last_parcel);
      if (lost && ++attempt < kLooksBeforeLoss) {
        patience_.wait(attempt, "the log ends before what it has acknowledged");
        continue;
      }
      if (lost) {
        throw LogUnusable("the log has lost what it acknowledged: it ends at " + to_string(parcel.header.upto) +
                          ", and this part is at " + to_string(held_from_) +
                          "; start the part again, which reads its " + "input from there");
      }
      number_ = entry.number;
      out_ = parcel.header.upto;
      ended_ = parcel.header.end;
      epoch_ = claims_ ? epoch_ : parcel.header.epoch;
      break;
    } catch (const LogUnreachable& fault) {
      patience_.wait(++attempt, fault.what());
    }
  }
  if (attempt > 0) {
    patience_.note_success();
  }
  drop_what_is_out();
}

void LogWriter::claim() {
  unsigned attempt = 0;
  while (true) {
    claims_ = true;
    ++epoch_;
    Appended appended = Appended::unknown;
    try {
      appended = log_.append(
          number_,
          encode_parcel({.identity = identity_, .epoch = epoch_, .from = out_, .upto = out_, .end = ended_}, {}));
    } catch (const LogUnreachable&) {
    }
    if (appended == Appended::done) {
      ++number_;
      return;
    }
    patience_.wait(++attempt, "the log does not take the claim of this part");
    claims_ = false;
    look();
  }
}

/// A twin may have cut elsewhere, so this may be a part of what is pending, or more than that.
void LogWriter::drop_what_is_out() {
  while (!pending_.empty() && pending_.front().end <= out_) {
    held_from_ = pending_.front().end;
    pending_bytes_ -= pending_.front().bytes.size();
    pending_.pop_front();
  }
}

void LogWriter::add(const ParcelItem& item) {
  if (item.sequence < seen_.sequence) {
    throw Error("an item of input " + std::to_string(item.sequence) + " came behind " + to_string(seen_) +
                "; nats.sink needs items in the order of their inputs");
  }
  const Position end = behind_output(seen_, item.sequence);
  if (!pending_.empty() && (pending_.size() >= limits_.items || pending_bytes_ + item.bytes.size() > limits_.bytes)) {
    put(false);
  }
  seen_ = end;
  if (end <= out_) {
    held_from_ = end;
    return;
  }
  pending_.push_back({.item = item, .bytes = {item.bytes.begin(), item.bytes.end()}, .end = end});
  pending_bytes_ += item.bytes.size();
}

void LogWriter::pass(std::uint64_t sequence) {
  if (sequence > seen_.sequence) {
    seen_ = {sequence, 0};
  }
}

void LogWriter::flush() {
  if (!pending_.empty()) {
    put(false);
  }
}

void LogWriter::flush_mark() {
  if (out_ < seen_) {
    put(false);
  }
}

void LogWriter::end() {
  if (!ended_) {
    put(true);
  }
}

/// Returns once everything pending is in the log, by this writer or by another one.
void LogWriter::put(bool end) {
  unsigned attempt = 0;
  while (out_ < seen_ || (end && !ended_)) {
    if (ended_) {
      throw LogUnusable("the log has ended at " + to_string(out_) + ", and this part is at " + to_string(seen_));
    }
    std::vector<ParcelItem> items;
    std::size_t bytes = 0;
    for (const Pending& one : pending_) {
      if (!items.empty() && (items.size() >= limits_.items || bytes + one.bytes.size() > limits_.bytes)) {
        break;
      }
      items.push_back(one.item);
      items.back().bytes = one.bytes;
      bytes += one.bytes.size();
    }
    const bool all = items.size() == pending_.size();
    const Position upto = all ? std::max(seen_, out_) : pending_[items.size() - 1].end;
    const bool last = end && all;
    const std::vector<std::byte> parcel =
        encode_parcel({.identity = identity_, .epoch = epoch_, .from = out_, .upto = upto, .end = last}, items);
    Appended appended = Appended::unknown;
    std::string why = "the log did not answer in time";
    try {
      appended = log_.append(number_, parcel);
    } catch (const LogUnreachable& fault) {
      why = fault.what();
    }
    const bool assumed = (appended == Appended::unknown && broken(Rule::one_in_flight)) ||
                         (appended == Appended::full && broken(Rule::wait_while_full));
    if (appended == Appended::done || assumed) {
      if (attempt > 0) {
        patience_.note_success();
      }
      attempt = 0;
      number_ += appended == Appended::full ? 0 : 1;
      out_ = upto;
      ended_ = last;
      drop_what_is_out();
      continue;
    }
    if (appended != Appended::refused) {
      patience_.wait(++attempt, appended == Appended::full ? "the log is full" : why);
    }
    if (broken(Rule::look_before_resending) && appended != Appended::full) {
      number_ = log_.last().number;
    } else {
      look();
    }
  }
}

}  // namespace pystream::nats
