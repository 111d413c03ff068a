#include <chrono>
#include <memory>
#include <optional>
#include <pystream/registry.hpp>

#include "nats/host_time.hpp"
#include "nats/log_params.hpp"
#include "nats/log_reader.hpp"
#include "nats/patient_wait.hpp"

namespace pystream::nats {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLook{100};  ///< a source that is asked to end does so within this time
constexpr std::chrono::seconds kReleaseEvery{1};

/// Reads a log, each item once. A run begins where the log of the part's own output ends.
class NatsSource final : public RawSource<Position> {
 public:
  explicit NatsSource(const Params& params)
      : settings_(log_settings("nats.source", params)),
        journal_name_(params.string("journal")),
        keep_(params.duration("keep")),
        patience_("nats.source of stream " + settings_.stream.name, true) {
    if (!journal_name_.empty()) {
      require_stream_name("nats.source", journal_name_);
    }
  }

  static StageInfo describe() {
    std::vector<ParamSpec> params = log_params();
    params.push_back({.name = "journal",
                      .type = ParamType::string,
                      .fallback = "",
                      .text =
                          "the stream of nats.sink in this part: a run begins behind what is there, and input of it "
                          "is released; empty: it begins with the oldest item, and nothing is released"});
    params.push_back({.name = "keep",
                      .type = ParamType::duration,
                      .fallback = std::int64_t{240'000'000'000},
                      .text = "input is kept so long after it is done: twice the sync_interval of the servers",
                      .min = 0});
    return {.summary = "reads the items of a log on NATS JetStream, each once, from a part of the pipeline elsewhere",
            .params = std::move(params),
            .output = "any"};
  }

  void start() override {
    connect_waiting();
    if (reader_) {
      const LogReader::Done done = reader_->done();
      over_ = done.all;
      reader_->start({done.upto.sequence, 0});
    }
  }
  void resume() override {
    connect_waiting();
    if (reader_) {
      reader_->start(cursor());
    }
  }

  /// A batch of items is committed when this gives none; so it waits only if it has given none since it waited last.
  bool produce(Output& out) override {
    if (over_ || !reader_) {
      return false;
    }
    try {
      release();
      ParcelItem item;
      const LogReader::Got got = reader_->next(item, gave_ ? milliseconds(0) : kLook);
      gave_ = got == LogReader::Got::item;
      if (got == LogReader::Got::end) {
        return false;
      }
      if (gave_) {
        cursor() = reader_->position();
        out.set_origin({.sequence = item.sequence, .part = item.part, .entered_ns = to_monotonic(item.entered_ns)});
        out.emit_bytes(item.bytes);
      }
    } catch (const Interrupted&) {
    }
    return true;
  }
  void cleanup() override {
    reader_.reset();
    journal_.reset();
    log_.reset();
    connection_.reset();
  }

 private:
  void connect_waiting() {
    try {
      connection_ = connect(settings_.server, patience_);
      log_ = open(*connection_, settings_.stream, patience_);
      if (!journal_name_.empty()) {
        StreamSettings journal = settings_.stream;
        journal.name = journal_name_;
        journal_ = open(*connection_, journal, patience_);
      }
      reader_.emplace(*log_, journal_.get(), patience_, settings_.identity);
    } catch (const Interrupted&) {  // draining: produce() is not called, or ends
    }
  }

  void release() {
    const auto now = Clock::now();
    if (journal_ != nullptr && now - released_ > kReleaseEvery) {
      released_ = now;
      reader_->release(now.time_since_epoch(), keep_);
    }
  }

  LogSettings settings_;
  std::string journal_name_;
  std::chrono::nanoseconds keep_;
  PatientWait patience_;
  bool over_ = false;
  bool gave_ = false;
  Clock::time_point released_ = Clock::now();
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Log> journal_;
  std::optional<LogReader> reader_;
};

PYSTREAM_STAGE("nats.source", NatsSource);

}  // namespace
}  // namespace pystream::nats
