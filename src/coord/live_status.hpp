#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profile/figures.hpp"
#include "profile/summary.hpp"

/// What a coordinator tells of its pipeline while it runs; counters since the pipeline began.
namespace pystream::coord {

struct LiveStage {
  std::string key;
  std::string role;
  std::uint32_t worker = 0;
  profile::Figures figures{};
  std::uint64_t letters = 0;  ///< of its errors: kept as dead letters

  static void fields(auto& self, auto& code) { code(self.key, self.role, self.worker, self.figures, self.letters); }
};

struct LiveWorker {
  std::string name;
  std::int64_t pid = 0;  ///< 0: does not run
  std::string phase;
  std::uint32_t restarts = 0;
  std::string item;              ///< "item 7": what is in work, "" if nothing is
  std::int64_t item_age_ns = 0;  ///< how long

  static void fields(auto& self, auto& code) {
    code(self.name, self.pid, self.phase, self.restarts, self.item, self.item_age_ns);
  }
};

struct LiveLink {
  std::string name;
  std::uint32_t producer = 0;            ///< worker
  std::vector<std::uint32_t> consumers;  ///< workers
  std::uint64_t items = 0;               ///< inside now
  std::uint64_t done = 0;                ///< by all consumers, since the pipeline began
  std::uint64_t bytes = 0;
  std::uint64_t capacity = 0;  ///< bytes
  std::uint64_t dropped = 0;
  double fill = 0;             ///< see profile::LinkFigures
  std::int64_t oldest_ns = 0;  ///< age of the oldest item in it; 0: none

  static void fields(auto& self, auto& code) {
    code(self.name, self.producer, self.consumers, self.items, self.done, self.bytes, self.capacity, self.dropped);
    code(self.fill, self.oldest_ns);
  }
};

struct LiveStatus {
  std::int64_t pid = 0;
  std::int64_t run = 0;  ///< in the profile database; 0: no profile
  std::string name;
  std::string shared_run;    ///< of a plan over several hosts, of which this is one part; "": it is all
  std::string host;          ///< of the part
  bool first_part = false;   ///< it has the plan's source
  std::string state;         ///< starting, running, draining, stopping
  std::int64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  double uptime_s = 0;
  profile::Figures whole{};  ///< of the main pipeline: items that came out, and their time from entrance to exit
  std::vector<LiveStage> stages;
  std::vector<LiveWorker> workers;
  std::vector<LiveLink> links;

  static void fields(auto& self, auto& code) {
    code(self.pid, self.run, self.name, self.shared_run, self.host, self.first_part, self.state, self.time_ns,
         self.uptime_s, self.whole);
    code(self.stages, self.workers, self.links);
  }
};

/// One stage between two looks.
struct LiveFigures {
  const LiveStage* stage = nullptr;
  const LiveWorker* worker = nullptr;
  profile::KeySummary did{};  ///< between the looks, also whether it limits; `dropped`: since the pipeline began
  double fill = 0;            ///< of its input link, 0 to 1
  /// How long an item is in its input link and in work, at the rate between the looks; 0: nothing was done.
  double queueing_s = 0;
  double oldest_s = 0;  ///< age of the oldest item in its input link; 0: there is none
};
/// `before`: an earlier status of the same pipeline; an empty one: since it began.
std::vector<LiveFigures> figures_between(const LiveStatus& before, const LiveStatus& now);

std::string to_json(const LiveStatus& before, const LiveStatus& now);

}  // namespace pystream::coord
