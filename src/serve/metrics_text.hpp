#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "coord/live_status.hpp"

/// What running pipelines tell Prometheus. src/docs/serve.md lists the metrics.
namespace pystream::serve {

/// What a metric says of one pipeline beside its status.
struct Observed {
  coord::LiveStatus status;
  /// Of each worker, in the order of LiveStatus::workers; empty: not known.
  struct Usage {
    double cpu_s = 0;
    double memory_bytes = 0;
  };
  std::vector<Usage> usage{};
};

/// With the memory and processor time of its workers, as /proc has them now.
Observed observe(coord::LiveStatus status);

/// Dead letters that a profile database holds, by the name of the pipeline.
using LettersKept = std::map<std::string, std::uint64_t>;

/// The value of the label `pipeline` of each: its name, and the process id too where several have one name.
std::vector<std::string> pipeline_labels(std::span<const Observed> pipelines);
/// "2" of "MainPipeline__Encode#2", "1.2" of "Row#1__Encode#2", "" of what has no replicas.
std::string replica_of(std::string_view key);

/// The text that `/metrics` answers with and `run --metrics` writes.
std::string metrics_text(std::span<const Observed> pipelines, const LettersKept& letters = {});

}  // namespace pystream::serve
