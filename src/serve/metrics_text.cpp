#include "serve/metrics_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "base/process_usage.hpp"
#include "plan/stage_names.hpp"
#include "serve/exposition.hpp"
#include "shm/profile_abi.hpp"

namespace pystream::serve {
namespace {

constexpr double kNsInSecond = 1e9;

/// Divided, so that decimal fractions come out as people write them.
double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / kNsInSecond;
}

/// Upper limits of histograms in nanoseconds, from a microsecond to a minute, two to an octave. They are borders of the
/// recorded buckets, so nothing is shared out between two of them.
std::vector<std::uint64_t> limits_ns() {
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 10;
  constexpr std::uint64_t kLast = std::uint64_t{1} << 36;
  std::vector<std::uint64_t> limits;
  for (std::uint64_t octave = kFirst; octave < kLast; octave *= 2) {
    limits.push_back(octave);
    limits.push_back(octave + octave / 2);
  }
  limits.push_back(kLast);
  return limits;
}

struct Limit {
  std::size_t bucket;  ///< the first one beyond it
  std::string text;    ///< the label `le`
};

const std::vector<Limit>& limits() {
  static const std::vector<Limit> kLimits = [] {
    std::vector<Limit> all;
    for (const std::uint64_t ns : limits_ns()) {
      all.push_back({.bucket = shm::bucket_of(ns), .text = metric_number(seconds(ns))});
    }
    return all;
  }();
  return kLimits;
}

/// Of items that were timed singly, each with those that it stands for.
void add_histogram(Exposition& out, const Labels& labels, const profile::Figures& figures) {
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  for (const Limit& limit : limits()) {
    for (; bucket < std::min(limit.bucket, figures.histogram.size()); ++bucket) {
      below += figures.histogram[bucket];
    }
    out.add_part("_bucket", labels.with("le", limit.text), below);
  }
  for (; bucket < figures.histogram.size(); ++bucket) {
    below += figures.histogram[bucket];
  }
  out.add_part("_bucket", labels.with("le", "+Inf"), below);
  out.add_part("_sum", labels, seconds(figures.timed_ns));
  out.add_part("_count", labels, below);
}

class Writer {
 public:
  explicit Writer(std::span<const Observed> pipelines) : pipelines_(pipelines), names_(pipeline_labels(pipelines)) {}

  std::string write(const LettersKept& letters) {
    out_.begin("pystream_build_info", "gauge", "Version of pystream; always 1.");
    out_.add(Labels().with("version", PYSTREAM_VERSION), std::uint64_t{1});
    write_pipelines();
    write_stages();
    write_workers();
    write_links();
    out_.begin("pystream_dead_letters_kept", "gauge", "Dead letters in the profile database, of all runs.");
    for (const auto& [pipeline, count] : letters) {
      out_.add(Labels().with("pipeline", pipeline), count);
    }
    return out_.text();
  }

 private:
  template <class Add>
  void each_pipeline(const Add& add) {
    for (std::size_t i = 0; i < pipelines_.size(); ++i) {
      add(Labels().with("pipeline", names_[i]), pipelines_[i].status);
    }
  }
  static Labels of_key(const Labels& pipeline, const std::string& key) {
    return pipeline.with("stage", plan::short_key(plan::without_replicas(key))).with("replica", replica_of(key));
  }
  template <class Add>
  void each_stage(const Add& add) {
    each_pipeline([&](const Labels& labels, const coord::LiveStatus& status) {
      for (const coord::LiveStage& stage : status.stages) {
        add(of_key(labels, stage.key), stage);
      }
    });
  }
  /// `add` gets the figures of one of its stages too, which hold the times of the worker; nullptr: it has none.
  template <class Add>
  void each_worker(const Add& add) {
    for (std::size_t i = 0; i < pipelines_.size(); ++i) {
      const coord::LiveStatus& status = pipelines_[i].status;
      for (std::size_t id = 0; id < status.workers.size(); ++id) {
        const auto stage = std::ranges::find(status.stages, id, &coord::LiveStage::worker);
        // A worker that only deals or collects has its own name, which must not be taken for that of its replicas.
        const Labels of_pipeline = Labels().with("pipeline", names_[i]);
        const std::string& name = status.workers[id].name;
        const Labels labels =
            stage != status.stages.end() ? of_key(of_pipeline, name) : of_pipeline.with("stage", plan::short_key(name));
        add(labels, status.workers[id], stage != status.stages.end() ? &stage->figures : nullptr,
            id < pipelines_[i].usage.size() ? &pipelines_[i].usage[id] : nullptr);
      }
    }
  }
  template <class Add>
  void each_link(const Add& add) {
    each_pipeline([&](const Labels& labels, const coord::LiveStatus& status) {
      for (const coord::LiveLink& link : status.links) {
        add(labels.with("link", link.name), link);
      }
    });
  }

  void write_pipelines() {
    out_.begin("pystream_pipeline_uptime_seconds", "gauge", "Time since the pipeline began.");
    each_pipeline([&](const Labels& labels, const auto& status) { out_.add(labels, status.uptime_s); });
    out_.begin("pystream_pipeline_state", "gauge", "1 for the state that the pipeline is in, 0 for the others.");
    each_pipeline([&](const Labels& labels, const auto& status) {
      for (const char* state : {"starting", "running", "draining", "stopping", "ended"}) {
        out_.add(labels.with("state", state), std::uint64_t{status.state == state ? 1U : 0U});
      }
    });
    out_.begin("pystream_pipeline_items_total", "counter", "Items that came out of the pipeline.");
    each_pipeline([&](const Labels& labels, const auto& status) { out_.add(labels, status.whole.items); });
    out_.begin("pystream_pipeline_latency_seconds", "histogram", "Time of items from entrance to exit.");
    each_pipeline([&](const Labels& labels, const auto& status) { add_histogram(out_, labels, status.whole); });
  }

  void write_stages() {
    out_.begin("pystream_stage_items_total", "counter", "Items that the stage has done; of a source, given.");
    each_stage([&](const Labels& labels, const auto& stage) { out_.add(labels, stage.figures.items); });
    out_.begin("pystream_stage_errors_total", "counter", "Items that the stage gave up.");
    each_stage([&](const Labels& labels, const auto& stage) { out_.add(labels, stage.figures.errors); });
    out_.begin("pystream_stage_dead_letters_total", "counter", "Items that the stage gave up and that were kept.");
    each_stage([&](const Labels& labels, const auto& stage) { out_.add(labels, stage.letters); });
    out_.begin("pystream_stage_busy_seconds_total", "counter", "Time inside the stage, of all its items.");
    each_stage([&](const Labels& labels, const auto& stage) { out_.add(labels, seconds(stage.figures.total_ns)); });
    out_.begin("pystream_stage_duration_seconds", "histogram", "Time of an item inside the stage.");
    each_stage([&](const Labels& labels, const auto& stage) { add_histogram(out_, labels, stage.figures); });
  }

  void write_workers() {
    using Figures = profile::Figures;
    using Usage = Observed::Usage;
    out_.begin("pystream_worker_up", "gauge", "1 while the worker's process runs.");
    each_worker([&](const Labels& labels, const coord::LiveWorker& worker, const Figures*, const Usage*) {
      out_.add(labels, std::uint64_t{worker.pid > 0 ? 1U : 0U});
    });
    out_.begin("pystream_worker_restarts_total", "counter", "Times that the worker was started again.");
    each_worker([&](const Labels& labels, const coord::LiveWorker& worker, const Figures*, const Usage*) {
      out_.add(labels, std::uint64_t{worker.restarts});
    });
    out_.begin("pystream_worker_seconds_total", "counter",
               "Time of the worker: waiting for input, working, blocked by a full link.");
    each_worker([&](const Labels& labels, const coord::LiveWorker&, const Figures* figures, const Usage*) {
      if (figures != nullptr) {
        out_.add(labels.with("state", "waiting"), seconds(figures->waiting_ns));
        out_.add(labels.with("state", "working"), seconds(figures->working_ns));
        out_.add(labels.with("state", "blocked"), seconds(figures->blocked_ns));
      }
    });
    out_.begin("pystream_worker_item_age_seconds", "gauge", "How long the worker has been with its item; 0: no item.");
    each_worker([&](const Labels& labels, const coord::LiveWorker& worker, const Figures*, const Usage*) {
      out_.add(labels, seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(worker.item_age_ns, 0))));
    });
    out_.begin("pystream_worker_cpu_seconds_total", "counter", "Processor time of the worker's present process.");
    each_worker([&](const Labels& labels, const coord::LiveWorker&, const Figures*, const Usage* usage) {
      if (usage != nullptr) {
        out_.add(labels, usage->cpu_s);
      }
    });
    out_.begin("pystream_worker_resident_memory_bytes", "gauge", "Resident memory of the worker's process.");
    each_worker([&](const Labels& labels, const coord::LiveWorker&, const Figures*, const Usage* usage) {
      if (usage != nullptr) {
        out_.add(labels, usage->memory_bytes);
      }
    });
  }

  void write_links() {
    out_.begin("pystream_link_items_total", "counter", "Items that the link's consumers have done.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.done); });
    out_.begin("pystream_link_dropped_items_total", "counter", "Items that the link threw away.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.dropped); });
    out_.begin("pystream_link_items", "gauge", "Items in the link and in work behind it.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.items); });
    out_.begin("pystream_link_bytes", "gauge", "Bytes of the link that are in use.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.bytes); });
    out_.begin("pystream_link_capacity_bytes", "gauge", "Size of the link.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.capacity); });
    out_.begin("pystream_link_fill_ratio", "gauge", "Share of the limit that would hold the producer up, 0 to 1.");
    each_link([&](const Labels& labels, const auto& link) { out_.add(labels, link.fill); });
    out_.begin("pystream_link_oldest_item_age_seconds", "gauge",
               "Time since the oldest item in the link entered the pipeline; 0: no item.");
    each_link([&](const Labels& labels, const auto& link) {
      out_.add(labels, seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(link.oldest_ns, 0))));
    });
  }

  std::span<const Observed> pipelines_;
  std::vector<std::string> names_;
  Exposition out_;
};

}  // namespace

Observed observe(coord::LiveStatus status) {
  Observed observed{.status = std::move(status)};
  for (const coord::LiveWorker& worker : observed.status.workers) {
    const base::ProcessUsage usage = worker.pid > 0 ? base::usage_of(worker.pid) : base::ProcessUsage{};
    observed.usage.push_back({.cpu_s = usage.cpu_s, .memory_bytes = usage.memory_bytes});
  }
  return observed;
}

std::vector<std::string> pipeline_labels(std::span<const Observed> pipelines) {
  std::vector<std::string> labels;
  for (const Observed& pipeline : pipelines) {
    const std::string& name = pipeline.status.name;
    const auto same = std::ranges::count_if(pipelines, [&](const Observed& p) { return p.status.name == name; });
    labels.push_back(same > 1 ? name + " (" + std::to_string(pipeline.status.pid) + ")" : name);
  }
  return labels;
}

std::string replica_of(std::string_view key) {
  std::string numbers;
  for (std::size_t at = key.find('#'); at != std::string_view::npos; at = key.find('#', at + 1)) {
    std::size_t end = at + 1;
    while (end < key.size() && std::isdigit(static_cast<unsigned char>(key[end])) != 0) {
      ++end;
    }
    if (end > at + 1) {
      numbers += (numbers.empty() ? "" : ".") + std::string(key.substr(at + 1, end - at - 1));
    }
  }
  return numbers;
}

std::string metrics_text(std::span<const Observed> pipelines, const LettersKept& letters) {
  return Writer(pipelines).write(letters);
}

}  // namespace pystream::serve
