#include "worker/row.hpp"

namespace pystream::worker {

Row::Row(std::vector<std::unique_ptr<SegmentRunner>> segments) : segments_(std::move(segments)) {
  std::vector<SegmentRunner*> behind;
  for (std::size_t i = segments_.size(); i-- > 0;) {
    segments_[i]->set_behind(behind);
    behind.insert(behind.begin(), segments_[i].get());
  }
}

void Row::run() {
  if (segments_.size() == 1) {
    run_alone(*segments_.front());
  } else {
    run_in_turn();
  }
}

void Row::run_alone(SegmentRunner& segment) {
  while (!segment.ended()) {
    if (!segment.run_batch()) {
      segment.wait_for_input();
    }
  }
}

void Row::complete_item(SegmentRunner& segment) {
  bool closed = false;
  while (!closed) {
    if (!segment.run_one(closed)) {
      segment.wait_for_input();
    }
  }
}

void Row::run_in_turn() {
  while (!segments_.back()->ended()) {
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      // After a restart the segments before the one that died are an item ahead, or have ended.
      const bool behind = i == 0 ? segments_.back()->cycles() == segments_.front()->cycles()
                                 : segments_[i]->cycles() < segments_[i - 1]->cycles();
      const bool must_end = i > 0 && segments_[i - 1]->ended();
      if (!segments_[i]->ended() && (behind || must_end)) {
        complete_item(*segments_[i]);
      }
    }
  }
}

void Row::cleanup() {
  for (const auto& segment : segments_) {
    segment->cleanup();
  }
}

}  // namespace pystream::worker
