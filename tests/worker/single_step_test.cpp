#include <sys/stat.h>

#include <pystream/codec.hpp>
#include <pystream/error.hpp>

#include "support/child.hpp"
#include "support/sanitized.hpp"
#include "support/visits.hpp"
#include "worker/runner_support.hpp"

/// A worker stepped through its work one instruction at a time. What a kill at instruction k leaves behind is the
/// memory (and the file) as it is then; on a copy of it a successor is started and must bring the work to the same
/// end. The suite takes a sample, as large as a machine's speed allows; with PYSTREAM_TEST_FULL each instruction is
/// looked at (scripts/prove_kills.sh).
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

constexpr std::uint64_t kStride = kSanitized ? 307 : 17;
bool is_full_run() {
  return std::getenv("PYSTREAM_TEST_FULL") != nullptr;
}
/// For the looks of one test. On a machine of the usual speed they take a tenth of it.
Visits::Seconds budget() {
  return Visits::Seconds(is_full_run() ? 1e9 : kSanitized ? 40 : 3);
}

struct Offset {
  std::uint64_t bytes = 0;
};
/// Appends to a file and cuts it back to what was committed.
template <class SinkBase>
class AppendingSink : public SinkBase {
 public:
  explicit AppendingSink(int fd) : fd_(fd) {}
  void flush() override {
    if (::pwrite(fd_, pending_.data(), pending_.size(), static_cast<off_t>(this->cursor().bytes)) !=
        static_cast<ssize_t>(pending_.size())) {
      throw Error("pwrite");
    }
    this->cursor().bytes += pending_.size();
    pending_.clear();
  }
  void resume() override {
    if (::ftruncate(fd_, static_cast<off_t>(this->cursor().bytes)) != 0) {
      throw Error("ftruncate");
    }
  }

 protected:
  void append(std::string_view text) {
    pending_ += text;
    pending_ += '\n';
  }

 private:
  int fd_;
  std::string pending_;
};

class FileSink final : public AppendingSink<RawSink<Offset>> {
 public:
  using AppendingSink::AppendingSink;
  void consume(const Item& in) override { append(text_of(in)); }
};

class LetterSink final : public AppendingSink<Sink<char, Offset>> {
 public:
  using AppendingSink::AppendingSink;
  void operator()(char letter) override { append({&letter, 1}); }
};

class Counter final : public RawStage, public Checkpoint<std::uint64_t> {
 public:
  void operator()(const Item& in, Output& out) override {
    ++state();
    if (in.sequence() != 1) {
      emit_text(out, std::to_string(state()));
    }
  }
};

class Numbers final : public RawSource<Offset> {
 public:
  bool produce(Output& out) override {
    emit_text(out, std::to_string(cursor().bytes));
    return ++cursor().bytes < 3;
  }
};

/// What fits into a run, less than was reserved, and, once it fits again, two in one call, and none.
class MixedBytes final : public RawSource<Offset> {
 public:
  bool produce(Output& out) override {
    const std::uint64_t number = cursor().bytes++;
    const std::string text = std::string(1, static_cast<char>('a' + number)) + std::string(15, '.');
    if (number == 3) {
      std::memcpy(out.reserve(16).data(), text.data(), 8);
      out.emit_reserved(8);
    } else if (number != 20) {
      emit_text(out, text);
    }
    if (number == 17) {
      emit_text(out, "and another one.");
    }
    return number < 23;
  }
};

class Letters final : public Source<char, Offset> {
 public:
  std::optional<char> next() override {
    return cursor().bytes < 3 ? std::optional(static_cast<char>('a' + cursor().bytes++)) : std::nullopt;
  }
};

std::string in_16(const std::string& text) {
  return text + std::string(16 - text.size(), '.');
}

/// Of a tuple.
std::string parts_of(const Item& in) {
  std::string text;
  for (const std::span<const std::byte> part : tuple_parts(in.bytes())) {
    text += "(" + std::string(reinterpret_cast<const char*>(part.data()), part.size()) + ")";
  }
  return text;
}

struct Subject {
  const char* name;
  std::function<std::vector<std::unique_ptr<StageAdapter>>(int fd)> make;
  bool has_source = false;
  bool has_sink = false;
  std::uint64_t checkpoint_bytes = 0;
  bool in_runs = false;
  std::vector<std::string> inputs{"a", "b", "c"};
  bool inputs_in_a_run = false;
  std::size_t run_items = 512;  ///< of each run, where the inputs are in runs
  /// Its outputs are its inputs' bytes where they lie: as nobody reads them here, no input may be given back.
  bool keeps_inputs = false;
  bool deals = false;        ///< its outputs are dealt to two replicas
  bool is_dealt_to = false;  ///< it is the first of two replicas
  bool is_branch = false;    ///< it is the first of two branches
  bool feeds_branches = false;
  /// It collects what two replicas or branches gave: these, in front of its second link, and on its first one `inputs`,
  /// each of them a unit, with a unit of nothing behind them.
  std::vector<std::vector<std::string>> second_units{};
  /// Letters that two branches gave, a run each, in front of the two links; of replicas each of the runs is a unit.
  std::vector<std::string> runs_of_answers{};
  plan::Collect collect = plan::Collect::turn;
  std::vector<std::uint32_t> dealt{};  ///< of plan::Collect::dealing: the replicas that the units come from
};

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.name;
}

const Subject kSubjects[] = {
    {.name = "OneToOne",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); }},
    {.name = "Filtered",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (in.sequence() != 1) {
               out.forward(in);
             }
           }));
         }},
    {.name = "Forwarded",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (in.sequence() != 1) {
               out.forward(in);
             }
           }));
         },
     .inputs = {payload_of(0, 900), payload_of(1, 900), payload_of(2, 900), "small"},
     .keeps_inputs = true},
    {.name = "SeveralOutputs",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             for (int i = 0; i < 3; ++i) {
               emit_text(out, text_of(in) + std::to_string(i));
             }
           }));
         }},
    {.name = "Checkpointed",
     .make = [](int) { return one(detail::adapt(std::make_unique<Counter>())); },
     .checkpoint_bytes = 64},
    {.name = "Source", .make = [](int) { return one(detail::adapt(std::make_unique<Numbers>())); }, .has_source = true},
    {.name = "Sink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true},
    {.name = "Run",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true},
    {.name = "FilteredRun",
     .make =
         [](int) {
           return one(typed<std::optional<char>, char>(
               [](char in) { return in == 'b' ? std::nullopt : std::optional<char>(in); }));
         },
     .in_runs = true},
    {.name = "RunToRun",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .inputs_in_a_run = true},
    // Of a stage that takes bytes: one call behind another, none of them timed.
    {.name = "Untimed",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             for (std::uint64_t i = 0; i < in.sequence(); ++i) {
               emit_text(out, text_of(in) + std::to_string(i));
             }
           }));
         },
     .in_runs = true},
    // What fits into a run, less than was reserved, nothing, two, another size, and again what fits.
    {.name = "BytesInRuns",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             const std::uint64_t number = in.sequence();
             const std::string text = text_of(in) + std::string(15, '.');
             if (number == 4) {
               std::memcpy(out.reserve(16).data(), text.data(), 8);
               out.emit_reserved(8);
             } else if (number != 6) {
               emit_text(out, text);
               if (number == 8) {
                 emit_text(out, "and more");
               }
             }
           }));
         },
     .in_runs = true,
     .inputs = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}},
    {.name = "UntimedReplica",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .in_runs = true,
     .inputs = {"a", "b", "c", "d", "e", "f"},
     .is_dealt_to = true},
    {.name = "UntimedToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .in_runs = true},
    // Committed one by one, in the midst of the run.
    {.name = "RunToItems",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .inputs_in_a_run = true},
    {.name = "RunToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .inputs_in_a_run = true},
    {.name = "SourceRun",
     .make = [](int) { return one(detail::adapt(std::make_unique<Letters>())); },
     .has_source = true,
     .in_runs = true},
    {.name = "SourceOfBytesInRuns",
     .make = [](int) { return one(detail::adapt(std::make_unique<MixedBytes>())); },
     .has_source = true,
     .in_runs = true},
    {.name = "SinkRun",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<LetterSink>(fd))); },
     .has_sink = true,
     .in_runs = true},
    {.name = "Deals",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .deals = true},
    {.name = "DealsRuns",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .deals = true},
    {.name = "Replica",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (in.sequence() != 2) {
               out.forward(in);
               emit_text(out, text_of(in) + "again");
             }
           }));
         },
     .inputs = {"a", "b", "c", "d", "e", "f"},
     .is_dealt_to = true},
    {.name = "ReplicaOfRuns",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .inputs_in_a_run = true,
     .is_dealt_to = true},
    // Between its two runs lies one that is dealt to the other replica.
    {.name = "ReplicaOfSeveralRuns",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .inputs = {"a", "b", "c", "u", "v", "w", "d", "e", "f"},
     .inputs_in_a_run = true,
     .run_items = 3,
     .is_dealt_to = true},
    {.name = "Collects",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .second_units = {{"x", "y"}, {}, {"z"}}},
    // Some inputs are answered and committed while later ones, of both links, are not.
    {.name = "CollectsAheadOfAnswers",
     .make = [](int) { return one(detail::adapt(std::make_unique<Gatherer>())); },
     .inputs = {"a", "b", "c", "d"},
     .second_units = {{"u", "v"}, {}, {"w"}, {"x"}}},
    {.name = "CollectsAndFilters",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (text_of(in) == "z") {
               out.forward(in);
             }
           }));
         },
     .second_units = {{"x", "y"}, {}, {"z"}}},
    {.name = "CollectsToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .second_units = {{"x", "y"}, {}, {"z"}}},
    {.name = "Follows",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .second_units = {{"x", "y"}, {}, {"z"}},
     .collect = plan::Collect::dealing,
     .dealt = {1, 0, 0, 1, 1, 0, 0}},
    {.name = "FollowsAndFilters",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (text_of(in) == "z") {
               out.forward(in);
             }
           }));
         },
     .second_units = {{"x", "y"}, {}, {"z"}},
     .collect = plan::Collect::dealing,
     .dealt = {0, 1, 1, 0, 0, 0, 1}},
    {.name = "FollowsToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .second_units = {{"x", "y"}, {}, {"z"}},
     .collect = plan::Collect::dealing,
     .dealt = {1, 1, 1, 0, 0, 0, 0}},
    // The fourth item of the first branch has no answer, and no second branch either.
    {.name = "Merges",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .second_units = {{"x", "y"}, {}, {"z"}, {"w"}},
     .collect = plan::Collect::merge},
    {.name = "Zips",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, parts_of(in) + "!"); })); },
     .second_units = {{"x"}, {}, {"z"}, {}},
     .collect = plan::Collect::zip},
    {.name = "ZipsAndFilters",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (in.sequence() != 0) {
               out.forward(in);
             }
           }));
         },
     .second_units = {{"x"}, {}, {"z"}, {}},
     .collect = plan::Collect::zip},
    {.name = "ZipsToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .second_units = {{"x"}, {}, {"z"}, {}},
     .collect = plan::Collect::zip},
    {.name = "TakesTheFirst",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); })); },
     .inputs = {"", "b", ""},
     .second_units = {{"x", "y"}, {"z"}, {"v", "w"}, {}},
     .collect = plan::Collect::first},
    {.name = "TakesTheFirstToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .inputs = {"", "b", ""},
     .second_units = {{"x", "y"}, {"z"}, {"v", "w"}, {}},
     .collect = plan::Collect::first},
    {.name = "ZipsRuns",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, in_16(parts_of(in))); })); },
     .in_runs = true,
     .runs_of_answers = {"abcdefgh", "stuvwxyz"},
     .collect = plan::Collect::zip},
    {.name = "ZipsRunsAndFilters",
     .make =
         [](int) {
           return one(raw([](const Item& in, Output& out) {
             if (in.sequence() % 3 != 2) {
               emit_text(out, in_16(parts_of(in)));
             }
           }));
         },
     .in_runs = true,
     .runs_of_answers = {"abcdefgh", "stuvwxyz"},
     .collect = plan::Collect::zip},
    {.name = "ZipsRunsToSink",
     .make = [](int fd) { return one(detail::adapt(std::make_unique<FileSink>(fd))); },
     .has_sink = true,
     .in_runs = true,
     .runs_of_answers = {"abcdefgh", "stuvwxyz"},
     .collect = plan::Collect::zip},
    {.name = "CollectsRunsOfBytes",
     .make = [](int) { return one(raw([](const Item& in, Output& out) { emit_text(out, in_16(text_of(in))); })); },
     .in_runs = true,
     .runs_of_answers = {"abcdefgh", "stuvwxyz"}},
    {.name = "BranchOfRuns",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .inputs_in_a_run = true,
     .is_branch = true},
    {.name = "FeedsBranchesInRuns",
     .make = [](int) { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); },
     .in_runs = true,
     .inputs_in_a_run = true,
     .feeds_branches = true},
    {.name = "SerialGroup",
     .make =
         [](int) {
           auto all = one(detail::adapt(std::make_unique<Counter>()));
           all.push_back(raw([](const Item& in, Output& out) {
             out.forward(in);
             emit_text(out, "again");
           }));
           return all;
         },
     .checkpoint_bytes = 64},
};

/// Memory and file together.
struct World {
  shm::Segment segment;
  base::UniqueFd file;

  World copy() const {
    World other{.segment = copy_of(segment.fd()), .file = base::UniqueFd(::memfd_create("file", MFD_CLOEXEC))};
    struct stat status {};
    ::fstat(file.get(), &status);
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    if (::pread(file.get(), bytes.data(), bytes.size(), 0) != status.st_size ||
        ::pwrite(other.file.get(), bytes.data(), bytes.size(), 0) != status.st_size) {
      throw std::runtime_error("cannot copy a file");
    }
    return other;
  }
  Texts outcome(const Subject& subject) const {
    if (subject.keeps_inputs) {
      EXPECT_EQ(segment.map_consumer(0).own->read_number, 0U) << "given back while it may still be read";
    }
    if (!subject.has_sink) {
      Texts records = records_of(segment, 1);
      if (subject.deals) {
        for (std::string& record : records_of(segment, 1, 1)) {
          records.push_back(std::move(record));
        }
      }
      return records;
    }
    struct stat status {};
    ::fstat(file.get(), &status);
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    EXPECT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0), status.st_size);
    return {bytes};
  }
};

class SingleStepTest : public ::testing::TestWithParam<Subject> {
 protected:
  RigSpec spec(int fd) const {
    return {.segments = {{.make = [fd] { return GetParam().make(fd); },
                          .has_source = GetParam().has_source,
                          .has_sink = GetParam().has_sink,
                          .in_runs = GetParam().in_runs}},
            .answers = GetParam().is_dealt_to || GetParam().is_branch,
            .checkpoint_bytes = GetParam().checkpoint_bytes,
            .deals = GetParam().deals,
            .is_dealt_to = GetParam().is_dealt_to,
            .is_branch = GetParam().is_branch,
            .feeds_branches = GetParam().feeds_branches,
            .collects = GetParam().second_units.empty() && GetParam().runs_of_answers.empty()
                            ? std::nullopt
                            : std::optional(GetParam().collect)};
  }
  World make_world() const {
    World world{.segment = make_rig_segment(spec(-1)), .file = base::UniqueFd(::memfd_create("file", MFD_CLOEXEC))};
    if (const auto& runs = GetParam().runs_of_answers; !runs.empty()) {
      for (const std::uint32_t branch : {0U, 1U}) {
        const std::uint32_t link = branch == 0 ? 0 : rig_second_input(spec(-1));
        feed_run_of_answers(world.segment, link, runs[branch], 1, GetParam().collect == plan::Collect::zip ? 1 : 0);
        feed(world.segment, link, {});
      }
    } else if (!GetParam().second_units.empty()) {
      std::vector<Texts> first_units;
      for (const std::string& input : GetParam().inputs) {
        first_units.push_back(input.empty() ? Texts() : Texts{input});
      }
      first_units.emplace_back();
      feed_units(world.segment, 0, first_units);
      feed_units(world.segment, rig_second_input(spec(-1)), GetParam().second_units);
      if (!GetParam().dealt.empty()) {
        feed_dealing(world.segment, rig_followed(spec(-1)), GetParam().dealt);
      }
    } else if (GetParam().inputs_in_a_run) {
      std::vector<Texts> runs;
      for (std::size_t i = 0; i < GetParam().inputs.size(); ++i) {
        if (i % GetParam().run_items == 0) {
          runs.emplace_back();
        }
        runs.back().push_back(GetParam().inputs[i]);
      }
      feed_runs(world.segment, 0, runs);
    } else if (!GetParam().has_source) {
      feed(world.segment, 0, GetParam().inputs);
    }
    return world;
  }
  void run_to_end(const World& world) const {
    const RigSpec given = spec(world.file.get());
    RiggedWorker(world.segment, given).row().run();
  }
  /// What comes out if everybody dies in this very state of the world and a successor starts.
  Texts outcome_after_death(const World& world) const {
    const World copy = world.copy();
    run_to_end(copy);
    return copy.outcome(GetParam());
  }
  /// Instructions of an undisturbed worker from the start of its recovery to its end.
  std::uint64_t steps_to_end() const {
    const World world = make_world();
    SteppedChild worker = start(world);
    while (worker.step()) {
    }
    return worker.steps();
  }
  /// A worker that is started and runs to its end, stepped from the start of its recovery.
  SteppedChild start(const World& world) const {
    return SteppedChild([this, &world] {
      const RigSpec given = spec(world.file.get());
      step_mark();
      RiggedWorker(world.segment, given).row().run();
      step_mark();
    });
  }
};

TEST_P(SingleStepTest, AKillAtAnyInstructionChangesNothing) {
  const World undisturbed = make_world();
  run_to_end(undisturbed);
  const Texts expected = undisturbed.outcome(GetParam());
  ASSERT_FALSE(expected.empty());
  const World world = make_world();
  const std::uint64_t instructions = steps_to_end();
  Visits kills(instructions, is_full_run() ? 1 : kStride, budget());
  SteppedChild worker = start(world);
  while (worker.step() && !HasFatalFailure()) {
    kills.at(worker.steps(),
             [&] { ASSERT_EQ(outcome_after_death(world), expected) << "killed at instruction " << worker.steps(); });
  }
  EXPECT_TRUE(worker.reached_end()) << "after " << worker.steps() << " instructions";
  EXPECT_EQ(world.outcome(GetParam()), expected);
  kills.report("kills");
}

/// A worker killed at instruction k, and its successor at instruction j of its start and work.
TEST_P(SingleStepTest, AKillAtAnyInstructionOfTheRecoveryChangesNothing) {
  const World undisturbed = make_world();
  run_to_end(undisturbed);
  const Texts expected = undisturbed.outcome(GetParam());
  const World world = make_world();
  const std::uint64_t every = is_full_run() ? 31 : kSanitized ? 20'011 : 211;
  const std::uint64_t first_every = is_full_run() ? 211 : kSanitized ? 200'003 : 5003;
  const std::uint64_t instructions = steps_to_end();
  Visits kills(instructions, first_every, budget(), std::min(first_every, instructions / 2));
  std::uint64_t double_kills = 0;
  SteppedChild worker = start(world);
  while (worker.step() && !HasFatalFailure()) {
    kills.at(worker.steps(), [&] {
      const World left = world.copy();
      SteppedChild successor = start(left);
      const double share = static_cast<double>(first_every) / static_cast<double>(instructions);
      Visits second(instructions, every, budget() * std::min(share, 1.0), every);
      while (successor.step() && !HasFatalFailure()) {
        second.at(successor.steps(), [&] {
          ASSERT_EQ(outcome_after_death(left), expected)
              << "killed at instruction " << worker.steps() << " and again at " << successor.steps();
        });
      }
      double_kills += second.done();
      EXPECT_EQ(left.outcome(GetParam()), expected);
    });
  }
  EXPECT_TRUE(worker.reached_end()) << "after " << worker.steps() << " instructions";
  EXPECT_GT(double_kills, 0U);
  kills.report("recoveries");
  std::printf("%llu double kills\n", static_cast<unsigned long long>(double_kills));
}

INSTANTIATE_TEST_SUITE_P(Workers, SingleStepTest, ::testing::ValuesIn(kSubjects),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pystream::worker
