#pragma once

/// Places at which tests can let a worker die: between any two of them is something that a successor
/// must repair. Only a library built with PYSTREAM_KILL_POINTS has them (tests/kill_points); elsewhere a kill point
/// is no code at all.
namespace pystream::base {

enum class KillPoint {
  before_exec,     ///< forked, and not yet the worker program or the worker's code
  attaching,       ///< everything is mapped, nothing is restored
  before_reserve,  ///< an output begins
  in_payload,      ///< its bytes are in the ring, the record is not finished
  before_run,      ///< a run of plain items begins (worker/batch_call.hpp), nothing is reserved for it
  in_run,          ///< the stage is through with it and its results are in the ring; none of them is a record yet
  before_commit,   ///< the journal's entry is filled and does not count yet
  before_wake,     ///< committed; who sleeps has not been woken
  before_release,  ///< committed and woken; the input is not released
  before_room,     ///< released; a producer that waits for room has not been woken
  asleep,          ///< in the kernel, waiting for the other end
  in_transaction,  ///< in a transaction on the profile database
};

#ifdef PYSTREAM_KILL_POINTS
inline constexpr bool kKillPoints = true;
#else
inline constexpr bool kKillPoints = false;
#endif

/// This process is that worker from now on; before, no kill point is meant for it.
void note_worker_of_kill_points(unsigned worker);

/// Dies of SIGKILL if $PYSTREAM_KILL_AT says so: "POINT:WORKER:NTH:TOKEN", several joined by ",". The NTH time that
/// worker WORKER comes to the point in one life it dies, but only if it can remove the file TOKEN: so it happens once.
/// An order is not looked at while the token of one before it exists. Async-signal-safe.
void die_if_told(KillPoint point);

inline void kill_point(KillPoint point) {
  if constexpr (kKillPoints) {
    die_if_told(point);
  }
}

inline void kill_points_are_for([[maybe_unused]] unsigned worker) {
  if constexpr (kKillPoints) {
    note_worker_of_kill_points(worker);
  }
}

}  // namespace pystream::base
