#include "serve/metrics_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "serve/exposition.hpp"
#include "shm/profile_abi.hpp"

namespace pystream::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

coord::LiveStatus status_of(const std::string& name, std::int64_t pid) {
  coord::LiveStatus status{.pid = pid, .name = name, .state = "running", .time_ns = 1, .uptime_s = 2.5};
  coord::LiveStage& stage = status.stages.emplace_back(
      coord::LiveStage{.key = "MainPipeline__Row__Encode#2", .role = "stage", .worker = 0, .letters = 1});
  stage.figures.items = 40;
  stage.figures.errors = 3;
  stage.figures.total_ns = 1'500'000'000;
  stage.figures.timed_ns = 1'400'000'000;
  stage.figures.waiting_ns = 250'000'000;
  stage.figures.histogram.resize(shm::kBuckets);
  stage.figures.histogram[shm::bucket_of(2'000)] = 30;
  stage.figures.histogram[shm::bucket_of(100'000'000)] = 9;
  stage.figures.histogram[shm::bucket_of(500'000'000'000)] = 1;
  status.whole = stage.figures;
  status.workers.push_back({.name = "MainPipeline__Row__Encode#2", .pid = 8, .phase = "waiting", .restarts = 2});
  status.workers.push_back({.name = "MainPipeline__Row__Encode#collect", .pid = 0, .phase = "not running"});
  status.links.push_back({.name = "A -> B",
                          .consumers = {0},
                          .items = 1,
                          .done = 39,
                          .bytes = 25,
                          .capacity = 100,
                          .dropped = 3,
                          .fill = 0.25,
                          .oldest_ns = 40'000'000});
  return status;
}

std::string text_of(std::vector<coord::LiveStatus> all, const LettersKept& letters = {}) {
  std::vector<Observed> pipelines;
  for (coord::LiveStatus& status : all) {
    pipelines.push_back({.status = std::move(status), .usage = {{.cpu_s = 1.5, .memory_bytes = 4096}, {}}});
  }
  return metrics_text(pipelines, letters);
}

TEST(Exposition, EscapesLabels) {
  EXPECT_EQ(Labels().with("a", "q\"b\\s\nl\xff").text(), "{a=\"q\\\"b\\\\s\\nl\xef\xbf\xbd\"}");
  EXPECT_EQ(Labels().with("a", "").text(), "") << "an empty label is none";
  EXPECT_EQ(Labels().with("a", "1").with("b", "2").text(), "{a=\"1\",b=\"2\"}");
}

TEST(Exposition, WritesNumbersAsPrometheusReadsThem) {
  EXPECT_EQ(metric_number(0.1), "0.1");
  EXPECT_EQ(metric_number(1e-9), "1e-09");
  EXPECT_EQ(metric_number(HUGE_VAL), "+Inf");
  EXPECT_EQ(metric_number(-HUGE_VAL), "-Inf");
  EXPECT_EQ(metric_number(std::nan("")), "NaN");
}

TEST(MetricsText, TellsOfStagesWorkersAndLinks) {
  const std::string text = text_of({status_of("camera", 7)}, {{"camera", 12}});
  for (const char* line : {
           "\npystream_stage_items_total{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 40\n",
           "\npystream_stage_errors_total{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 3\n",
           "\npystream_stage_dead_letters_total{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 1\n",
           "\npystream_stage_busy_seconds_total{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 1.5\n",
           "\npystream_worker_restarts_total{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 2\n",
           "\npystream_worker_up{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 1\n",
           "\npystream_worker_up{pipeline=\"camera\",stage=\"Row.Encode#collect\"} 0\n",
           "stage=\"Row.Encode\",replica=\"2\",state=\"waiting\"} 0.25\n",
           "\npystream_worker_resident_memory_bytes{pipeline=\"camera\",stage=\"Row.Encode\",replica=\"2\"} 4096\n",
           "\npystream_link_items_total{pipeline=\"camera\",link=\"A -> B\"} 39\n",
           "\npystream_link_fill_ratio{pipeline=\"camera\",link=\"A -> B\"} 0.25\n",
           "\npystream_link_oldest_item_age_seconds{pipeline=\"camera\",link=\"A -> B\"} 0.04\n",
           "\npystream_pipeline_items_total{pipeline=\"camera\"} 40\n",
           "\npystream_pipeline_state{pipeline=\"camera\",state=\"running\"} 1\n",
           "\npystream_pipeline_state{pipeline=\"camera\",state=\"draining\"} 0\n",
           "\npystream_dead_letters_kept{pipeline=\"camera\"} 12\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

/// The lines of a family stand together behind its help and type, and no sample is there twice.
TEST(MetricsText, EveryFamilyHasHelpAndTypeOnceAndNoSampleTwice) {
  std::istringstream lines(text_of({status_of("a", 1), status_of("b", 2)}));
  std::set<std::string> families;
  std::set<std::string> samples;
  std::map<std::string, std::string> types;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + family + " ")) << line;
      types[family] = line.substr(line.rfind(' ') + 1);
    } else {
      EXPECT_TRUE(line.starts_with(family)) << line;
      EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
  }
  for (const auto& [name, type] : types) {
    EXPECT_EQ(type == "counter", name.ends_with("_total")) << name;
    EXPECT_THAT(name, Not(testing::MatchesRegex(".*_(ms|us|ns|percent|kib|mib)(_total)?")));
  }
  EXPECT_GT(samples.size(), 100U);
}

TEST(MetricsText, HistogramsAreCumulativeAndEndWithAll) {
  std::istringstream lines(text_of({status_of("a", 1)}));
  std::vector<std::uint64_t> counts;
  std::string of_two_us;
  std::string of_infinity;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("pystream_stage_duration_seconds_bucket")) {
      continue;
    }
    counts.push_back(std::stoull(line.substr(line.rfind(' ') + 1)));
    of_two_us = line.find("le=\"2.048e-06\"") != std::string::npos ? line : of_two_us;
    of_infinity = line.find("le=\"+Inf\"") != std::string::npos ? line : of_infinity;
  }
  EXPECT_TRUE(std::ranges::is_sorted(counts));
  EXPECT_TRUE(of_two_us.ends_with(" 30")) << of_two_us;
  EXPECT_TRUE(of_infinity.ends_with(" 40")) << of_infinity;
  const std::string text = text_of({status_of("a", 1)});
  EXPECT_THAT(text, HasSubstr("pystream_stage_duration_seconds_sum{pipeline=\"a\",stage=\"Row.Encode\","
                              "replica=\"2\"} 1.4\n"));
  EXPECT_THAT(text, HasSubstr("pystream_stage_duration_seconds_count{pipeline=\"a\",stage=\"Row.Encode\","
                              "replica=\"2\"} 40\n"));
}

TEST(MetricsText, PipelinesOfOneNameAreToldApart) {
  const std::string text = text_of({status_of("a", 1), status_of("a", 2), status_of("b", 3)});
  EXPECT_THAT(text, HasSubstr("pystream_pipeline_items_total{pipeline=\"a (1)\"} 40\n"));
  EXPECT_THAT(text, HasSubstr("pystream_pipeline_items_total{pipeline=\"a (2)\"} 40\n"));
  EXPECT_THAT(text, HasSubstr("pystream_pipeline_items_total{pipeline=\"b\"} 40\n"));
}

TEST(MetricsText, OfNothingIsStillComplete) {
  EXPECT_THAT(metrics_text({}), HasSubstr("# TYPE pystream_stage_items_total counter\n"));
}

TEST(MetricsText, NumbersOfReplicas) {
  EXPECT_EQ(replica_of("MainPipeline__Encode"), "");
  EXPECT_EQ(replica_of("MainPipeline__Encode#12"), "12");
  EXPECT_EQ(replica_of("MainPipeline__Row#1__Encode#2"), "1.2");
  EXPECT_EQ(replica_of("MainPipeline__Encode#collect"), "");
}

}  // namespace
}  // namespace pystream::serve
