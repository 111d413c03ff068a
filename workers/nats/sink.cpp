#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <pystream/registry.hpp>

#include "nats/host_time.hpp"
#include "nats/log_params.hpp"
#include "nats/log_writer.hpp"
#include "nats/patient_wait.hpp"

namespace pystream::nats {
namespace {

using Clock = std::chrono::steady_clock;

/// So often the log hears how far the part is although nothing came out.
constexpr std::chrono::seconds kMarkEvery{1};
constexpr std::int64_t kParcelHead = 4096;  ///< bytes of a message that are not its items

/// Puts items into a log, each once. The last parcel there is what counts; the cursor says how it was counted.
class NatsSink final : public RawSink<LogWriter::Progress> {
 public:
  explicit NatsSink(const Params& params)
      : settings_(log_settings("nats.sink", params)),
        claims_(params.boolean("claim")),
        patience_("nats.sink of stream " + settings_.stream.name, false) {}

  static StageInfo describe() {
    std::vector<ParamSpec> params = log_params();
    params.push_back({.name = "claim",
                      .type = ParamType::boolean,
                      .fallback = false,
                      .text = "the part has state or effects outside: any other instance of it that still lives ends"});
    return {.summary = "puts items into a log on NATS JetStream, each once, for a part of the pipeline elsewhere",
            .params = std::move(params),
            .input = "any"};
  }

  void start() override { open_log({}); }
  void resume() override { open_log(cursor()); }
  void consume(const Item& in) override {
    if (static_cast<std::int64_t>(in.bytes().size()) > largest_item_) {
      throw Error("nats.sink: an item has " + std::to_string(in.bytes().size()) + " bytes, and the servers take " +
                  std::to_string(largest_item_) + "; raise their max_payload");
    }
    writer_->add({.sequence = in.sequence(),
                  .part = in.part(),
                  .entered_ns = to_real_time(in.tag().entered_ns),
                  .bytes = in.bytes()});
  }
  void passed(std::uint64_t sequence) override { writer_->pass(sequence); }
  void flush() override {
    const auto now = Clock::now();
    if (now - marked_ > kMarkEvery) {
      writer_->flush_mark();
      marked_ = now;
    } else {
      writer_->flush();
    }
    cursor() = writer_->progress();
  }
  /// The end is written only if it is that of all items: what pauses, or has failed, goes on later.
  void cleanup() override {
    if (!writer_) {
      return;
    }
    if (cut_short() || pauses()) {
      writer_->flush_mark();
    } else {
      writer_->end();
    }
    writer_.reset();
    log_.reset();
    connection_.reset();
  }

 private:
  /// Of a part, the coordinator tells a pause from a drain for good; any other run that is told to end may go on later.
  bool pauses() const { return settings_.part.empty() && draining(); }

  void open_log(const LogWriter::Progress& before) {
    connection_ = connect(settings_.server, patience_);
    log_ = open(*connection_, settings_.stream, patience_);
    largest_item_ = connection_->largest_message() - kParcelHead;
    ParcelLimits limits;
    limits.bytes = std::min(limits.bytes, static_cast<std::size_t>(std::max<std::int64_t>(largest_item_, 1)) / 2);
    writer_.emplace(*log_, patience_, settings_.identity, limits);
    writer_->start(before, claims_);
  }

  LogSettings settings_;
  bool claims_;
  PatientWait patience_;
  std::int64_t largest_item_ = 0;
  Clock::time_point marked_ = Clock::now();
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<Log> log_;
  std::optional<LogWriter> writer_;
};

PYSTREAM_STAGE("nats.sink", NatsSink);

}  // namespace
}  // namespace pystream::nats
