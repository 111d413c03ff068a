#include "plan/cut.hpp"

#include "plan/hosts.hpp"
#include "plan/json.hpp"
#include "plan/plan_hash.hpp"
#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

/// Types of plan_support.hpp, a stage and a sink with state, and the ends of parts.
const std::vector<StageType>& cluster_types() {
  static const std::vector<StageType> kTypes = [] {
    std::vector<StageType> all = make_types();
    all.push_back(make_type("count", StageKind::stage, "any", "any"));
    all.back().checkpoint_bytes = 8;
    all.push_back(make_type("resumed", StageKind::sink, "any", ""));
    all.back().cursor_bytes = 8;
    return all;
  }();
  return kTypes;
}

Plan read_cluster_plan(const std::string& json) {
  return sound(read_plan(json, cluster_types()));
}

/// Around `stages`; a source on "main", `sink_host` may be empty.
std::string cluster_text(const std::string& stages, const std::string& sink = R"({"type": "null"})",
                         const std::string& cluster = R"({"log": "nats://n1,n2"})") {
  return R"({"name": "people", "cluster": )" + cluster + R"(, "source": {"type": "lines"}, "stages": )" + stages +
         R"(, "sink": )" + sink + "}";
}

constexpr const char* kThreeHosts =
    R"([{"name": "Read", "type": "pass"}, {"name": "Find", "type": "pass", "host": "gpu"}, {"name": "Draw", "type": "pass"}])";
constexpr const char* kStore = R"({"type": "null", "host": "store"})";

std::vector<Part> parts_of(const std::string& json, const std::string& run = "1") {
  const Plan plan = read_cluster_plan(json);
  auto result = cut(plan, cluster_types(), run);
  if (const auto* faults = std::get_if<std::vector<PlanFault>>(&result)) {
    for (const PlanFault& fault : *faults) {
      ADD_FAILURE() << to_string(fault, "");
    }
    return {};
  }
  return std::get<std::vector<Part>>(std::move(result));
}

Texts cut_faults(const std::string& json) {
  const Plan plan = read_cluster_plan(json);
  const auto result = cut(plan, cluster_types(), "1");
  Texts texts;
  if (const auto* faults = std::get_if<std::vector<PlanFault>>(&result)) {
    std::ranges::transform(*faults, std::back_inserter(texts), [](const auto& fault) { return to_string(fault, ""); });
  }
  return texts;
}

Texts names_of_members(const Plan& plan) {
  Texts names;
  for (const Member& member : members_of(plan)) {
    names.push_back(member.name);
  }
  return names;
}

TEST(HostsTest, AStageWithoutHostRunsWhereTheOneBeforeItDoes) {
  const Plan plan = read_cluster_plan(cluster_text(kThreeHosts, kStore));
  Texts hosts;
  for (const Member& member : members_of(plan)) {
    hosts.push_back(member.name + "@" + member.host);
  }
  EXPECT_EQ(hosts, (Texts{"Source@main", "Read@main", "Find@gpu", "Draw@gpu", "Sink@store"}));
  EXPECT_EQ(hosts_of(plan), (Texts{"main", "gpu", "store"}));
}

TEST(CutTest, GivesAPartForEachHost) {
  const std::vector<Part> sut = parts_of(cluster_text(kThreeHosts, kStore));
  ASSERT_EQ(sut.size(), 3U);
  EXPECT_EQ(sut[0].host, "main");
  EXPECT_EQ(names_of_members(sut[0].plan), (Texts{"Source", "Read", "To_Find"}));
  EXPECT_EQ(names_of_members(sut[1].plan), (Texts{"From_Read", "Find", "Draw", "To_Sink"}));
  EXPECT_EQ(names_of_members(sut[2].plan), (Texts{"From_Draw", "Sink"}));
  EXPECT_FALSE(sut[0].input);
  EXPECT_EQ(sut[0].output->stream, "people-1-Read-Find");
  EXPECT_EQ(sut[1].input->stream, sut[0].output->stream);
  EXPECT_EQ(sut[1].output->stream, "people-1-Draw-Sink");
  EXPECT_FALSE(sut[2].output);
  EXPECT_FALSE(sut[1].plan.cluster);
}

TEST(CutTest, AnotherRunHasOtherStreams) {
  EXPECT_EQ(parts_of(cluster_text(kThreeHosts, kStore), "night_2")[0].output->stream, "people-night_2-Read-Find");
}

TEST(CutTest, StagesKeepTheirProfileKeys) {
  const std::vector<Part> sut = parts_of(cluster_text(kThreeHosts, kStore));
  const Topology topology = make_topology(sut[1].plan);
  Texts keys;
  std::ranges::transform(topology.stages, std::back_inserter(keys), &PlacedStage::key);
  EXPECT_EQ(keys,
            (Texts{"MainPipeline__From_Read", "MainPipeline__Find", "MainPipeline__Draw", "MainPipeline__To_Sink"}));
}

TEST(CutTest, TheEndsGetWhatTheyNeed) {
  const std::vector<Part> sut = parts_of(cluster_text(
      kThreeHosts, kStore,
      R"({"log": "nats://n1,n2", "replicas": 3, "capacity": {"bytes": "2GiB"}, "credentials": "/c", "tls": {"ca": "/ca"}})"));
  const Params& source = sut[1].plan.source.stage->params;
  const Params& sink = sut[1].plan.sink.stage->params;
  EXPECT_EQ(sut[1].plan.source.stage->type, "nats.source");
  EXPECT_EQ(sut[1].plan.sink.stage->type, "nats.sink");
  EXPECT_EQ(source.string("log"), "nats://n1,n2");
  EXPECT_EQ(source.string("stream"), "people-1-Read-Find");
  EXPECT_EQ(source.string("journal"), "people-1-Draw-Sink");
  EXPECT_EQ(sink.string("stream"), "people-1-Draw-Sink");
  EXPECT_EQ(sink.integer("replicas"), 3);
  EXPECT_EQ(sink.integer("capacity"), std::int64_t{2} << 30);
  EXPECT_EQ(sink.string("credentials"), "/c");
  EXPECT_EQ(sink.string("tls_ca"), "/ca");
  EXPECT_FALSE(sink.has("tls_cert"));
  EXPECT_EQ(sink.string("part"), "gpu");
  EXPECT_EQ(sink.string("plan_hash"),
            plan_hash(read_cluster_plan(cluster_text(
                kThreeHosts, kStore, R"({"log": "nats://x", "replicas": 3, "capacity": {"bytes": "2GiB"}})"))));
  EXPECT_FALSE(sink.has("claim"));
  EXPECT_FALSE(sut[2].plan.source.stage->params.has("journal"));
  EXPECT_EQ(sut[1].plan.sink.stage->faults.on_error, OnError::fail);
}

TEST(CutTest, BothSidesOfACrossingSayTheSameItemType) {
  const std::vector<Part> sut = parts_of(R"({"name": "p", "cluster": {"log": "nats://n"},
    "source": {"type": "files", "params": {"path": "p"}},
    "stages": [{"name": "Load", "type": "image.unknown", "host": "a"},
               {"name": "Small", "type": "image.resize", "params": {"width": 8}, "host": "b"},
               {"name": "Pack", "type": "image.encode", "host": "c"}],
    "sink": {"type": "null"}})");
  ASSERT_EQ(sut.size(), 4U);
  EXPECT_EQ(sut[0].output->item_type, "bytes");
  EXPECT_EQ(sut[1].output->item_type, "image") << "what comes is unknown; the stage behind says it";
  EXPECT_EQ(sut[2].output->item_type, "image");
  for (std::size_t i = 1; i < sut.size(); ++i) {
    EXPECT_EQ(sut[i].plan.source.stage->params.string("item_type"), sut[i - 1].output->item_type);
    EXPECT_EQ(sut[i - 1].plan.sink.stage->params.string("item_type"), sut[i - 1].output->item_type);
  }
}

TEST(CutTest, ReplicasAndBranchesStayOnOneHost) {
  const std::vector<Part> sut = parts_of(cluster_text(
      R"([{"name": "Many", "type": "pass", "replicas": 3, "host": "a"},
          {"name": "Both", "mode": "branch", "host": "b", "stages": [{"name": "X", "type": "pass"}, {"name": "Y", "type": "pass"}]}])",
      R"({"type": "null", "host": "c"})"));
  ASSERT_EQ(sut.size(), 4U);
  const Topology many = make_topology(sut[1].plan);
  EXPECT_EQ(many.workers.size(), 5U) << "the source deals to three replicas, and the sink collects from them";
  EXPECT_EQ(many.segment({4, 0}).inputs.size(), 3U);
  EXPECT_EQ(names_of_members(sut[2].plan), (Texts{"From_Many", "Both", "To_Sink"}));
}

TEST(CutTest, APlanForOneHostIsOnePart) {
  const std::vector<Part> sut = parts_of(cluster_text(R"([{"type": "pass"}])"));
  ASSERT_EQ(sut.size(), 1U);
  EXPECT_EQ(names_of_members(sut[0].plan), (Texts{"Source", "Stage_1", "Sink"}));
}

TEST(CutTest, EndsHaveNamesThatNothingElseHas) {
  const std::vector<Part> sut = parts_of(cluster_text(
      R"([{"name": "To_From_Read", "type": "pass"}, {"name": "Read", "type": "pass"}, {"name": "From_Read", "type": "pass", "host": "b"}])"));
  EXPECT_EQ(names_of_members(sut[0].plan), (Texts{"Source", "To_From_Read", "Read", "To_From_Read_2"}));
  EXPECT_EQ(names_of_members(sut[1].plan), (Texts{"From_Read_2", "From_Read", "Sink"}));
}

TEST(CutTest, TheLinkOfTheCrossingStandsOnBothSides) {
  const std::vector<Part> sut =
      parts_of(cluster_text(R"([{"name": "A", "type": "pass", "host": "b", "link": {"capacity": {"items": 4}}}])"));
  EXPECT_EQ(sut[0].plan.sink.stage->input_link->items, 4U);
  EXPECT_EQ(sut[1].plan.root.children[0].stage->input_link->items, 4U);
}

TEST(CutTest, WhatCannotBeCutIsSaidAllAtOnce) {
  EXPECT_EQ(
      cut_faults(cluster_text(
          R"([{"name": "A", "type": "pass", "host": "a", "link": {"overflow": "drop_newest"}},
              {"name": "B", "type": "pass", "host": "b"},
              {"name": "C", "mode": "serial", "host": "a", "stages": [{"name": "D", "type": "pass", "host": "d"}]}])",
          R"({"type": "null", "host": "main"})", R"({"log": "nats://n", "moves": ["aa"]})")),
      (Texts{
          "/stages/2/host: found the host \"a\" again, behind \"b\", expected another name: a part is what stands in a "
          "row on one host; names are logical, so both parts may run on one machine",
          "/sink/host: found the host \"main\" again, behind \"a\", expected another name: a part is what stands in a "
          "row on one host; names are logical, so both parts may run on one machine",
          "/stages/2/stages/0/host: found \"d\" inside C, which runs on \"a\", expected no other host here: only the "
          "stages and pipelines of the main pipeline can be on different hosts, as replicas, branches and serial "
          "pipelines wait for what is in them",
          "/stages/0/link: found \"drop_newest\" on the link Source -> A, which goes to another host, expected "
          "\"overflow\": \"block\" on it: a stream between hosts loses nothing",
          "/cluster/moves/0: found \"aa\", expected a host of this plan (did you mean \"a\"?)"}));
}

TEST(CutTest, DropsOfThePlanAreRefusedOnCrossingsOnly) {
  const auto text = [](const std::string& link) {
    return R"({"name": "p", "cluster": {"log": "nats://n"}, "links": {"overflow": "drop_newest"}, "source": {"type": "lines"},
      "stages": [{"name": "A", "type": "pass"}, {"name": "B", "type": "pass", "host": "b")" +
           link + R"(}],
      "sink": {"type": "null"}})";
  };
  ASSERT_EQ(cut_faults(text("")).size(), 1U);
  EXPECT_TRUE(cut_faults(text("")).front().starts_with("/stages/1/link: found \"drop_newest\" on the link A -> B"));
  EXPECT_EQ(cut_faults(text(R"(, "link": {"overflow": "block"})")), Texts{});
  EXPECT_EQ(parts_of(text(R"(, "link": {"overflow": "block"})"))[0].plan.sink.stage->input_link->overflow,
            Overflow::block);
}

TEST(CutTest, OnlyAParallelMainPipelineIsCut) {
  const auto text = [](const std::string& host) {
    return R"({"name": "p", "mode": "serial", "cluster": {"log": "nats://n"}, "source": {"type": "lines"},
      "stages": [{"name": "A", "type": "pass"}], "sink": {"type": "null", "host": ")" +
           host + R"("}})";
  };
  EXPECT_EQ(cut_faults(text("b")),
            Texts{"/mode: found \"serial\" in a plan for 2 hosts, expected \"parallel\": only between the stages of a "
                  "parallel main pipeline items can go to another host"});
  EXPECT_EQ(cut_faults(text("main")), Texts{});
}

TEST(CutTest, WithoutAClusterThereIsNoCut) {
  EXPECT_EQ(cut_faults(plan_text(R"([{"type": "pass", "host": "b"}])")),
            Texts{"found no \"cluster\", expected what connects the hosts: \"cluster\": {\"log\": \"nats://…\"}"});
}

TEST(CutTest, StateIsRefusedInAPartThatMayMove) {
  const auto text = [](const std::string& moves) {
    return cluster_text(R"([{"name": "Row", "host": "a", "stages": [{"name": "Count", "type": "count"}]}])",
                        R"({"type": "resumed", "host": "b"})", R"({"log": "nats://n", "moves": [)" + moves + "]}");
  };
  EXPECT_EQ(cut_faults(text("")), Texts{});
  EXPECT_EQ(
      cut_faults(text(R"("a", "b")")),
      (Texts{"/stages/0/stages/0/type: found \"count\", whose checkpoint stays on its machine, in the part of \"a\", "
             "which may move to another one, expected stages without state there, or \"a\" left out of "
             "/cluster/moves",
             "/sink/type: found \"resumed\", whose output can be resumed only on its machine, in the part of \"b\", "
             "which may move to another one, expected stages without state there, or \"b\" left out of "
             "/cluster/moves"}));
  const std::vector<Part> sut = parts_of(text(""));
  EXPECT_FALSE(sut[0].has_state);
  EXPECT_TRUE(sut[1].has_state);
  EXPECT_TRUE(sut[1].plan.sink.stage->params.boolean("claim"));
  EXPECT_TRUE(parts_of(cluster_text(kThreeHosts, kStore, R"({"log": "nats://n", "moves": ["gpu"]})"))[1].moves);
}

TEST(PlanHashTest, IsTheSameForTheSamePlanAnywhere) {
  const std::string stages = R"([{"name": "A", "type": "pass", "host": "b", "params": {"extra": {"x": 1, "y": 2}}}])";
  const std::string sut = plan_hash(read_cluster_plan(cluster_text(stages)));
  EXPECT_EQ(sut.size(), 16U);
  EXPECT_EQ(sut.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(plan_hash(read_cluster_plan(
                R"({"sink": {"type": "null"}, "plugins": ["/x.so"], "profiler": {"folder": "/f"},
      "stages": [{"host": "b", "params": {"extra": {"y": 2, "x": 1}}, "type": "pass", "name": "A"}], "source": {"type": "lines"},
      "cluster": {"tls": {"ca": "/ca"}, "credentials": "/c", "log": "nats://other"}, "name": "people"})")),
            sut)
      << "order of keys, addresses, and what differs from machine to machine";
}

TEST(PlanHashTest, DiffersWhereItemsWould) {
  const auto hash = [](const std::string& stages, const std::string& sink = kStore) {
    return plan_hash(read_cluster_plan(cluster_text(stages, sink)));
  };
  const std::string sut = hash(kThreeHosts);
  EXPECT_NE(
      hash(
          R"([{"name": "Read", "type": "pass", "params": {"flag": true}}, {"name": "Find", "type": "pass", "host": "gpu"},
                     {"name": "Draw", "type": "pass"}])"),
      sut);
  EXPECT_NE(hash(kThreeHosts, R"({"type": "null"})"), sut) << "where a part begins";
  EXPECT_EQ(hash(kThreeHosts), sut);
}

TEST(RunNameTest, HoldsNothingThatEndsAName) {
  EXPECT_EQ(run_name_fault("Night_2"), std::nullopt);
  for (const std::string& name :
       {std::string(), std::string("a-b"), std::string("a.b"), std::string("a b"), std::string(31, 'a')}) {
    EXPECT_NE(run_name_fault(name), std::nullopt) << name;
  }
}

TEST(ClusterTest, ReadsEveryKey) {
  const Plan sut = read_cluster_plan(
      cluster_text(kThreeHosts, kStore,
                   R"({"log": "nats://n1,n2", "replicas": 3, "capacity": {"bytes": "1MiB"}, "credentials": "c",
          "tls": {"ca": "a", "cert": "b", "key": "k"}, "moves": ["gpu"]})"));
  EXPECT_EQ(sut.name, "people");
  EXPECT_EQ(*sut.cluster, (Cluster{.log = "nats://n1,n2",
                                   .replicas = 3,
                                   .bytes = 1U << 20U,
                                   .credentials = "c",
                                   .tls = {.ca = "a", .cert = "b", .key = "k"},
                                   .moves = {"gpu"}}));
  EXPECT_EQ(sound(read_written_plan(write_plan(sut), cluster_types())), sut);
}

TEST(ClusterTest, FaultsAreToldTogether) {
  EXPECT_EQ(
      faults_in(
          R"({"name": "My plan", "cluster": {"log": "n1", "replicas": 6, "capacity": {}, "tls": {"cert": "c"}, "moves": [1], "host": 1},
      "source": {"type": "lines", "host": ""}, "stages": [{"type": "pass", "host": "GPU"}], "sink": {"type": "null", "host": 7}})"),
      (Texts{"/cluster/host: found the key \"host\", expected one of \"log\", \"replicas\", \"capacity\", "
             "\"credentials\", "
             "\"tls\", \"moves\"",
             "/cluster/log: found \"n1\", expected the servers of NATS, as \"nats://n1,n2,n3\"",
             "/cluster/replicas: found 6, expected an integer from 1 to 5",
             "/cluster/capacity: found no key \"bytes\", expected of a stream; a full one blocks its writer",
             "/cluster/tls/cert: found \"cert\" without \"key\", expected both, or none of them",
             "/cluster/moves/0: found 1, expected the name of a host",
             "/name: found \"My plan\", expected another name beside \"cluster\": at most 30 lower-case letters, "
             "digits and "
             "\"-\", with a letter or digit at both ends",
             "/source/host: found \"\", expected the name of a host: at most 30 lower-case letters, digits and \"-\", "
             "with a "
             "letter or digit at both ends",
             "/sink/host: found 7, expected a string",
             "/stages/0/host: found \"GPU\", expected the name of a host: at most 30 lower-case letters, digits and "
             "\"-\", "
             "with a letter or digit at both ends"}));
  EXPECT_EQ(faults_in(plan_text(R"([{"type": "pass"}])", R"(, "cluster": {"log": "nats://n"})")),
            Texts{"found \"cluster\" without \"name\", expected a name beside it, by which the streams of the plan are "
                  "called"});
}

TEST(ClusterTest, HostsWithoutAClusterAreIgnored) {
  EXPECT_EQ(faults_in(R"({"name": "My plan", "source": {"type": "lines"}, "stages": [{"type": "pass", "host": "b"}],
                          "sink": {"type": "null", "host": "main"}})"),
            Texts{});
}

}  // namespace
}  // namespace pystream::plan::test
