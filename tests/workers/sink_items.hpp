#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/stage_driver.hpp"

/// For tests of sinks.
namespace pystream::test {

/// As a plan sets it for items that are lines.
inline const ParamMap kLines{{"item_type", "string"}};

inline void consume(StageAdapter& sink, std::string_view bytes, Item::Tag tag = {}) {
  CollectingOutput unused;
  feed(sink, bytes, unused, tag);
}

inline void consume_all(StageAdapter& sink, const std::vector<std::string>& items) {
  for (const std::string& item : items) {
    consume(sink, item);
  }
}

/// As a worker that begins a run has it.
inline std::unique_ptr<StageAdapter> started(std::string_view type, ParamMap params = {}) {
  auto sink = make_stage(type, std::move(params));
  sink->start();
  return sink;
}

}  // namespace pystream::test
