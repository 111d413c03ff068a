#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "fake_log.hpp"
#include "nats/log_reader.hpp"
#include "nats/log_writer.hpp"
#include "nats/rules.hpp"

/// Parts of a pipeline that read and write fake logs, each with a twin, while everything fails that can.
namespace pystream::test {

using nats::LogReader;
using nats::LogWriter;
using nats::ParcelItem;

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A stage: none, one or two outputs for an input, as its bytes say.
inline std::vector<std::string> outputs_of(const std::string& input) {
  std::size_t sum = 0;
  for (const char c : input) {
    sum = sum * 31 + static_cast<unsigned char>(c);
  }
  std::vector<std::string> outputs;
  for (std::size_t i = 0; i < sum % 7 % 3; ++i) {
    outputs.push_back(input + static_cast<char>('a' + i));
  }
  return outputs;
}

struct Kept {
  std::uint64_t sequence;
  std::string bytes;
  bool operator==(const Kept&) const = default;
};

/// Something that lives in a process of its own, one step at a time.
class Actor {
 public:
  virtual ~Actor() = default;
  void step() {
    if (busy_ || finished_) {
      return;
    }
    busy_ = true;
    try {
      act();
    } catch (const Killed&) {
      ++deaths_;
      die();
    } catch (const nats::LogUnusable&) {
      if (!restarts_) {
        throw;
      }
      ++deaths_;
      die();
    }
    busy_ = false;
  }
  bool finished() const { return finished_; }
  std::uint64_t deaths() const { return deaths_; }
  /// A part that cannot go on is started again.
  void set_restarts() { restarts_ = true; }

 protected:
  virtual void act() = 0;
  virtual void die() = 0;
  void finish() { finished_ = true; }

 private:
  bool busy_ = false;
  bool restarts_ = false;
  bool finished_ = false;
  std::uint64_t deaths_ = 0;
};

/// The first part: a source of `count` items that can be read again.
class FirstPart final : public Actor {
 public:
  FirstPart(FakeStream& out, nats::Patience& patience, std::mt19937& random, std::uint64_t count)
      : log_(out), patience_(patience), random_(random), count_(count) {}

 private:
  void act() override {
    if (!writer_) {
      next_ = 0;
      auto writer = std::make_unique<LogWriter>(log_, patience_, nats::Identity{"string", "h"},
                                                nats::ParcelLimits{.items = 1 + random_() % 4});
      writer->start({}, false);
      writer_ = std::move(writer);
    }
    for (std::size_t n = 1 + random_() % 5; n > 0 && next_ < count_; --n, ++next_) {
      const std::string bytes = "item" + std::to_string(next_);
      writer_->add({.sequence = next_, .bytes = bytes_of(bytes)});
    }
    writer_->flush();
    if (next_ == count_) {
      writer_->end();
      finish();
    }
  }
  void die() override { writer_.reset(); }

  FakeLog log_;
  nats::Patience& patience_;
  std::mt19937& random_;
  std::uint64_t count_;
  std::uint64_t next_ = 0;
  std::unique_ptr<LogWriter> writer_;
};

/// A part in the middle.
class MiddlePart final : public Actor {
 public:
  MiddlePart(FakeStream& in, FakeStream& out, nats::Patience& patience, std::mt19937& random, std::uint64_t& clock,
             std::uint64_t keep)
      : in_(in), out_(out), patience_(patience), random_(random), clock_(clock), keep_(keep) {}

 private:
  void act() override {
    if (!writer_) {
      auto reader = std::make_unique<LogReader>(in_, &out_, patience_, nats::Identity{"string", "h"});
      auto writer = std::make_unique<LogWriter>(out_, patience_, nats::Identity{"string", "h"},
                                                nats::ParcelLimits{.items = 1 + random_() % 4});
      reader->start({reader->done().upto.sequence, 0});
      writer->start({}, false);
      reader_ = std::move(reader);
      writer_ = std::move(writer);
    }
    for (std::size_t n = 1 + random_() % 6; n > 0; --n) {
      ParcelItem item;
      const LogReader::Got got = reader_->next(item, std::chrono::milliseconds(0));
      if (got == LogReader::Got::end) {
        writer_->end();
        finish();
        return;
      }
      if (got == LogReader::Got::nothing) {
        break;
      }
      const std::uint64_t sequence = item.sequence;
      for (const std::string& output : outputs_of(text_of(item.bytes))) {
        writer_->add({.sequence = sequence, .bytes = bytes_of(output)});
      }
      writer_->pass(sequence);
    }
    random_() % 2 == 0 ? writer_->flush() : writer_->flush_mark();
    reader_->release(std::chrono::nanoseconds(++clock_), std::chrono::nanoseconds(keep_));
  }
  void die() override {
    writer_.reset();
    reader_.reset();
  }

  FakeLog in_;
  FakeLog out_;
  nats::Patience& patience_;
  std::mt19937& random_;
  std::uint64_t& clock_;
  std::uint64_t keep_;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<LogWriter> writer_;
};

/// The last part, which keeps what it gets and how far it is, in one step.
class LastPart final : public Actor {
 public:
  LastPart(FakeStream& in, nats::Patience& patience) : in_(in), patience_(patience) {}
  const std::vector<Kept>& kept() const { return kept_; }

 private:
  void act() override {
    if (!reader_) {
      auto reader = std::make_unique<LogReader>(in_, nullptr, patience_, nats::Identity{"string", "h"});
      reader->start(position_);
      reader_ = std::move(reader);
    }
    for (int n = 0; n < 3; ++n) {
      ParcelItem item;
      const LogReader::Got got = reader_->next(item, std::chrono::milliseconds(0));
      if (got == LogReader::Got::end) {
        finish();
        return;
      }
      if (got == LogReader::Got::nothing) {
        return;
      }
      kept_.push_back({item.sequence, text_of(item.bytes)});
      position_ = reader_->position();
    }
  }
  void die() override { reader_.reset(); }

  FakeLog in_;
  nats::Patience& patience_;
  std::vector<Kept> kept_;
  nats::Position position_;
  std::unique_ptr<LogReader> reader_;
};

struct StormResult {
  std::vector<Kept> kept;
  std::uint64_t deaths = 0;
  bool all_finished = false;
  std::string error;
};

inline std::vector<Kept> expected_outputs(std::uint64_t count) {
  std::vector<Kept> expected;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (const std::string& output : outputs_of("item" + std::to_string(i))) {
      expected.push_back({i, output});
    }
  }
  return expected;
}

struct StormOptions {
  std::uint64_t count = 40;
  LogFaults faults{};
  std::uint64_t keep = 0;
  bool goes_back = false;  ///< now and then the log between the first two parts loses its last parcel
  int steps = 100'000;
};

/// First part and twin → log → middle part and twin → log → last part.
inline StormResult storm(std::uint32_t seed, const StormOptions& options) {
  std::mt19937 random(seed);
  FakeStream input(random);
  FakeStream output(random);
  input.faults = options.faults;
  output.faults = options.faults;
  output.faults.capacity = 0;  // nobody releases it
  std::vector<Actor*> actors;
  int depth = 0;
  const auto meanwhile = [&] {
    if (depth < 4 && !actors.empty() && random() % 3 == 0) {
      ++depth;
      actors[random() % actors.size()]->step();
      --depth;
    }
  };
  input.meanwhile = meanwhile;
  output.meanwhile = meanwhile;
  NoPatience patience([&] {
    if (depth < 40 && !actors.empty()) {
      ++depth;
      for (Actor* actor : actors) {
        actor->step();
      }
      --depth;
    }
  });
  std::uint64_t clock = 0;
  FirstPart first(input, patience, random, options.count);
  FirstPart first_twin(input, patience, random, options.count);
  MiddlePart middle(input, output, patience, random, clock, options.keep);
  MiddlePart middle_twin(input, output, patience, random, clock, options.keep);
  LastPart last(output, patience);
  actors = {&first, &first_twin, &middle, &middle_twin, &last};
  for (Actor* actor : actors) {
    if (options.goes_back) {
      actor->set_restarts();
    }
  }
  StormResult result;
  try {
    for (int i = 0; i < options.steps && !last.finished(); ++i) {
      actors[random() % actors.size()]->step();
      if (options.goes_back && random() % 20 == 0 && !first.finished() && !first_twin.finished()) {
        input.go_back();
      }
    }
  } catch (const std::exception& fault) {
    result.error = fault.what();
  }
  result.all_finished = last.finished();
  result.kept = last.kept();
  for (const Actor* actor : actors) {
    result.deaths += actor->deaths();
  }
  return result;
}

}  // namespace pystream::test
