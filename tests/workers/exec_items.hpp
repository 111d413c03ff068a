#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "support/stage_driver.hpp"

/// For tests of the stage exec.
namespace pystream::test {

using Texts = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline ParamMap running(ParamList command, ParamValue framing = "lines") {
  return {{"command", std::move(command)}, {"framing", std::move(framing)}};
}

inline void submit(AsyncStage& stage, std::string_view bytes) {
  const Item::Tag tag{};
  stage.submit(Item(tag, std::as_bytes(std::span(bytes))));
}

/// Keeps up to capacity items in flight, as a worker does, and collects all answers.
inline Texts stream(StageAdapter& adapter, const Texts& items) {
  AsyncStage& stage = *adapter.taker()->async();
  CollectingOutput out;
  std::size_t in_flight = 0;
  for (const std::string& item : items) {
    while (in_flight + 1 > stage.capacity() - 1 && in_flight > 0) {
      stage.flush();
      in_flight -= stage.collect(out, seconds(1)) ? 1 : 0;
    }
    submit(stage, item);
    ++in_flight;
    while (in_flight > 0 && stage.collect(out, milliseconds(0))) {
      --in_flight;
    }
  }
  stage.finish();
  while (in_flight > 0) {
    in_flight -= stage.collect(out, seconds(1)) ? 1 : 0;
  }
  return out.texts();
}

}  // namespace pystream::test
