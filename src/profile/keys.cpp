#include "profile/keys.hpp"

#include <algorithm>

namespace pystream::profile {
namespace {

/// What belongs to the pipeline `key`: stages whose key begins with it.
bool is_inside(const std::string& key, const std::string& pipeline) {
  return key.starts_with(pipeline + std::string(plan::kSeparator));
}

class KeyList {
 public:
  explicit KeyList(const plan::Topology& topology) : topology_(topology) {}

  std::vector<ProfileKey> make() {
    add_main_pipeline();
    for (const plan::PlacedStage& placed : topology_.stages) {
      open_pipelines(placed.key);
      keys_.push_back({.key = placed.key, .role = placed.role, .worker = placed.worker, .index = placed.index});
      position_of_.push_back(static_cast<std::uint32_t>(keys_.size() - 1));
    }
    for (ProfileKey& key : keys_) {
      if (key.derived()) {
        find_ends(key);
      }
    }
    return std::move(keys_);
  }

 private:
  /// Its counters are the last worker's, behind those of its stages.
  void add_main_pipeline() {
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      const plan::WorkerSpec& worker = topology_.workers[id];
      if (worker.runs_row() && topology_.leaves_pipeline(worker.segments.back())) {
        std::uint32_t stages = 0;
        for (const plan::Segment& segment : worker.segments) {
          stages += static_cast<std::uint32_t>(segment.stages.size());
        }
        keys_.push_back({.key = std::string(plan::kMainPipeline), .role = {}, .worker = id, .index = stages});
      }
    }
  }

  void open_pipelines(const std::string& stage) {
    for (; next_pipeline_ < topology_.pipeline_keys.size(); ++next_pipeline_) {
      const std::string& key = topology_.pipeline_keys[next_pipeline_];
      if (key == plan::kMainPipeline) {
        continue;
      }
      if (!is_inside(stage, key)) {
        return;
      }
      keys_.push_back({.key = key, .role = {}, .index = ProfileKey::kDerived});
    }
  }

  void find_ends(ProfileKey& key) const {
    bool found = false;
    for (plan::StageId id = 0; id < topology_.stages.size(); ++id) {
      if (!is_inside(topology_.stages[id].key, key.key)) {
        continue;
      }
      if (!found) {
        found = true;
        key.first = position_of_[id];
      }
      add_borders(key, id);
    }
  }

  /// What of the neighbours of a stage inside `key` is outside.
  void add_borders(ProfileKey& key, plan::StageId id) const {
    const auto outside = [&](plan::StageId other) { return !is_inside(topology_.stages[other].key, key.key); };
    const std::vector<plan::StageId> behind = topology_.downstream(id);
    if (behind.empty() || std::ranges::any_of(behind, outside)) {
      add_end(key.last, id);
    }
    for (const plan::StageId before : topology_.upstream(id)) {
      if (outside(before)) {
        add_end(key.before, before);
      }
    }
  }

  /// Replicas of a stage, and branches that are merged, do one work together.
  void add_end(ProfileKey::Ends& ends, plan::StageId id) const {
    const std::uint32_t position = position_of_[id];
    const plan::PlacedStage& placed = topology_.stages[id];
    ends.fastest |= is_joined(placed, plan::Collect::first);
    for (std::vector<std::uint32_t>& group : ends.groups) {
      if (std::ranges::find(group, position) != group.end()) {
        return;
      }
      const plan::PlacedStage& other = topology_.stages[stage_at(group.front())];
      if (other.in_plan == placed.in_plan ||
          (is_joined(other, plan::Collect::merge) && is_joined(placed, plan::Collect::merge))) {
        group.push_back(position);
        return;
      }
    }
    ends.groups.push_back({position});
  }

  plan::StageId stage_at(std::uint32_t position) const {
    return static_cast<plan::StageId>(std::ranges::find(position_of_, position) - position_of_.begin());
  }

  bool is_joined(const plan::PlacedStage& placed, plan::Collect so) const {
    return std::ranges::any_of(topology_.segment({placed.worker, placed.segment}).outputs, [&](plan::LinkId link) {
      return std::ranges::any_of(topology_.links[link].consumers,
                                 [&](plan::SegmentRef at) { return topology_.segment(at).collect == so; });
    });
  }

  const plan::Topology& topology_;
  std::vector<ProfileKey> keys_;
  std::vector<std::uint32_t> position_of_;  ///< of each stage
  std::size_t next_pipeline_ = 0;
};

}  // namespace

std::vector<ProfileKey> profile_keys(const plan::Topology& topology) {
  return KeyList(topology).make();
}

}  // namespace pystream::profile
