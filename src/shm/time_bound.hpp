#pragma once

#include <cstdint>

#include "base/mutation.hpp"
#include "shm/ring_abi.hpp"

namespace pystream::shm {

/// How many items a link may hold so that its consumers work them off in a given time. The producer learns this limit
/// from what it checks anyway: the count of items that are done. It has no clock; the caller gives the times.
///
/// - The limit starts at the fewest items that keep both ends busy.
/// - It doubles whenever a consumer ran dry because of it: while the producer waited for the limit, or in the
/// producer's
///   next gap, which ends with its second commit after that (the first is of what it had in hand while it waited).
/// - It is at least an eighth of what was done in the given time. So a producer that waits for fast consumers sleeps
///   for long, and is seldom woken.
/// - It shrinks by a tenth a second towards what is done in the given time, unless a consumer ran dry meanwhile.
/// - While nothing is done (a worker starts or is stopped), it stays as it is.
///
/// The cost: at each change of speed a consumer runs dry log2(new limit / old limit) times at most, each time for as
/// long as the producer takes to answer. No rule bounds the time in the link and also keeps a consumer busy that works
/// off a burst at once and then takes long for each item: there the limit follows a tenth a second behind.
class TimeBound {
 public:
  static constexpr std::uint64_t kFewest = 8;  ///< items for each consumer

  /// `time_ns`: 0: there is no bound.
  explicit TimeBound(std::int64_t time_ns, std::uint64_t fewest = kFewest);

  bool applies() const { return time_ns_ != 0 && !base::mutated(base::Mutation::no_time_bound); }
  /// Items that may be in the link and not done; kInvalidPosition: there is no bound.
  std::uint64_t limit() const { return applies() ? static_cast<std::uint64_t>(limit_) : kInvalidPosition; }
  /// A run may exceed the limit by as much: it would stay cut into two in all the links behind.
  std::uint64_t run_excess() const { return applies() ? limit() / 2 : 0; }

  /// What the producer sees of its consumers.
  struct Seen {
    std::int64_t now_ns = 0;
    std::uint64_t done = 0;    ///< items, by all of them
    bool dry = false;          ///< some consumer has nothing left of what was committed
    std::uint64_t wanted = 0;  ///< items that a consumer may have to see before it is done with one; untrusted
  };
  void look(const Seen& seen);
  /// The producer waits for the limit, and has committed everything.
  void note_wait() { watched_ = kWatched; }
  /// The limit has cut a run.
  void note_cut() { cut_ = true; }
  /// The next commit is to be noted.
  bool watches_commit() const { return watched_ > 0 || cut_; }
  /// The producer commits. `dry`: as in Seen, before this commit.
  void note_commit(bool dry);

 private:
  static constexpr int kWatched = 2;  ///< commits after a wait

  void grow();
  void learn(const Seen& seen);

  std::int64_t time_ns_;
  std::uint64_t fewest_;
  double limit_;
  int watched_ = 0;   ///< so many commits from here on end a gap that the limit may have caused
  bool cut_ = false;  ///< what is not yet committed is a run that was cut
  // The window of time in which the consumers' speed is measured.
  std::int64_t began_ns_ = 0;  ///< 0: none yet
  std::uint64_t begun_done_ = 0;
  bool starved_ = false;  ///< a consumer was dry in it
};

}  // namespace pystream::shm
