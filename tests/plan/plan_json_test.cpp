#include "plan/plan_support.hpp"

/// The document as a whole; what stands in a stage is in plan_stages_test.cpp.
namespace pystream::plan::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFull = R"({
  "$schema": "https://example.org/plan.json", "name": "photos", "mode": "parallel",
  "plugins": ["libimage_stages.so"],
  "source": {"type": "files", "params": {"path": "photos", "pattern": "*.jpg"}},
  "stages": [
    {"name": "Decode", "type": "image.decode", "timeout": "5s", "on_crash": "skip", "on_error": "retry",
     "start_timeout": "2min", "max_attempts": 5, "link": {"capacity": {"items": 8}, "overflow": "drop_oldest"},
     "limits": {"memory": "512MiB", "cpu_time": "1h", "nice": 5, "affinity": [0, 1]}},
    {"name": "Enhance", "mode": "serial", "stages": [
      {"name": "Resize", "type": "image.resize", "params": {"width": 1280}},
      {"name": "Sharpen", "type": "image.convolve", "params": {"kernel": "sharpen"}}]},
    {"type": "image.encode"}
  ],
  "sink": {"name": "Disk", "type": "file_writer", "params": {"directory": "out"}},
  "links": {"capacity": {"items": 64, "bytes": "64MiB", "time": "250ms"}, "overflow": "block"},
  "profiler": {"enabled": false, "folder": "profiles"},
  "restarts": {"max_restarts": 3, "window": "30s", "backoff_first": "1ms", "backoff_limit": "1s"}
})";

TEST(ReadPlanTest, ReadsEveryKey) {
  const Plan sut = plan_in(kFull);
  EXPECT_EQ(sut.plugins, Texts{"libimage_stages.so"});
  EXPECT_EQ(sut.root.name, "MainPipeline");
  EXPECT_EQ(sut.root.mode, Mode::parallel);
  EXPECT_EQ(sut.source.stage->params.string("path"), "photos");
  EXPECT_EQ(sut.source.name, "");
  EXPECT_EQ(sut.sink.name, "Disk");
  EXPECT_EQ(sut.links, (LinkOptions{.items = 64, .bytes = 64U << 20U, .time = 250ms, .overflow = Overflow::block}));
  EXPECT_FALSE(sut.profiler.enabled);
  EXPECT_EQ(sut.profiler.folder, "profiles");
  EXPECT_EQ(sut.restarts, (RestartPolicy{.max_restarts = 3, .window = 30s, .backoff_first = 1ms, .backoff_limit = 1s}));
  ASSERT_EQ(sut.root.children.size(), 3U);
  EXPECT_EQ(sut.root.children[2].name, "Stage_1");
  EXPECT_EQ(sut.root.children[1].mode, Mode::serial);
  EXPECT_EQ(sut.root.children[1].children[0].where, "/stages/1/stages/0");
  const StageSpec& decode = *sut.root.children[0].stage;
  EXPECT_EQ(decode.faults, (FaultPolicy{.on_crash = OnCrash::skip,
                                        .on_error = OnError::retry,
                                        .max_attempts = 5,
                                        .timeout = 5s,
                                        .start_timeout = 2min}));
  EXPECT_EQ(decode.limits, (Limits{.memory = 512U << 20U, .cpu_time = 1h, .nice = 5, .affinity = {0, 1}}));
  EXPECT_EQ(decode.input_link, (LinkOptions{.items = 8, .overflow = Overflow::drop_oldest}));
}

TEST(ReadPlanTest, DefaultsAreThoseOfThePlanStructs) {
  const Plan sut = plan_in(plan_text(R"([{"type": "pass"}])"));
  EXPECT_EQ(sut.root.mode, Mode::parallel);
  EXPECT_EQ(sut.links, LinkOptions());
  EXPECT_EQ(sut.restarts, RestartPolicy());
  EXPECT_TRUE(sut.profiler.enabled);
  EXPECT_EQ(sut.root.children[0].stage->faults, FaultPolicy());
  EXPECT_EQ(sut.root.children[0].stage->limits, Limits());
  EXPECT_EQ(sut.root.children[0].stage->input_link, std::nullopt);
}

TEST(ReadPlanTest, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_EQ(faults_in("{\n  \"mode\": \"serial\",,\n}"),
            Texts{"line 2, column 20: found unexpected ',', expected string literal"});
  const auto where = [](const std::string& text) {
    return std::get<std::vector<PlanFault>>(read_plan(text, types())).at(0).where;
  };
  EXPECT_EQ(where(""), "line 1, column 1");
  EXPECT_EQ(where("{\"a\": tru}"), "line 1, column 10");
  EXPECT_EQ(where("{}\n\n x"), "line 3, column 2");
  EXPECT_EQ(where("{\"a\": 1e999}"), "line 1, column 11");
  EXPECT_EQ(where("{\"a\": \"\xff\"}"), "line 1, column 8");
}

TEST(ReadPlanTest, EveryCutOfAPlanIsAFault) {
  const std::string whole = kFull;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(faults_in(whole.substr(0, size)).empty()) << size;
  }
}

TEST(ReadPlanTest, OnlyObjectsArePlans) {
  EXPECT_EQ(faults_in("[]"), Texts{"found an empty list, expected an object"});
  EXPECT_EQ(faults_in("3"), Texts{"found 3, expected an object"});
}

TEST(ReadPlanTest, DoubledKeysAreFaultsAtEveryLevel) {
  EXPECT_EQ(faults_in(plan_text(R"([{"type": "pass", "params": {"flag": true, "a/b": 1, "flag": false, "flag": 1}}])",
                                R"(, "mode": "serial", "mode": "serial")"))[0],
            "/stages/0/params/flag: found the key \"flag\" more than once, expected each key once");
  EXPECT_EQ(faults_in(plan_text(R"([{"type": "pass"}])", R"(, "mode": "serial", "mode": "serial")")),
            Texts{"/mode: found the key \"mode\" more than once, expected each key once"});
}

TEST(ReadPlanTest, WithoutASourceNothingElseIsSaidOfTheWay) {
  for (
      const char* stages :
      {R"([{"type": "pass", "replicas": 2}])",
       R"([{"mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "pass"}, {"name": "B", "type": "pass"}]}])"}) {
    const Texts sut = faults_in(R"({"sink": {"type": "null"}, "stages": )" + std::string(stages) + "}");
    ASSERT_EQ(sut.size(), 1U);
    EXPECT_NE(sut[0].find("\"source\""), std::string::npos) << sut[0];
  }
}

TEST(ReadPlanTest, MissingKeys) {
  EXPECT_EQ(faults_in("{}"), (Texts{"found no key \"source\", expected where items come from",
                                    "found no key \"stages\", expected what is done to each item, in order",
                                    "found no key \"sink\", expected where items go"}));
}

TEST(ReadPlanTest, UnknownKeysHaveSuggestions) {
  EXPECT_EQ(
      faults_in(plan_text(R"([{"type": "pass"}])", R"(, "plugin": [], "$comment": "passed over")")),
      Texts{"/plugin: found the key \"plugin\", expected one of \"name\", \"mode\", \"join\", \"plugins\", \"source\", "
            "\"stages\", \"sink\", \"links\", \"profiler\", \"restarts\", \"cluster\" (did you mean \"plugins\"?)"});
  EXPECT_EQ(faults_in(plan_text(R"([{"type": "pass"}])", R"(, "links": {"overflw": "block"})")),
            Texts{"/links/overflw: found the key \"overflw\", expected one of \"capacity\", \"overflow\" (did you mean "
                  "\"overflow\"?)"});
}

TEST(ReadPlanTest, WrongValuesOfPlanKeys) {
  const auto fault = [](const std::string& more) {
    const Texts faults = faults_in(plan_text(R"([{"type": "pass"}])", ", " + more));
    EXPECT_EQ(faults.size(), 1U) << more;
    return faults.empty() ? "" : faults[0];
  };
  EXPECT_EQ(fault(R"("mode": "serail")"),
            "/mode: found \"serail\", expected \"parallel\", \"serial\" or \"branch\" (did you mean \"serial\"?)");
  EXPECT_EQ(fault(R"("name": 3)"), "/name: found 3, expected a string");
  EXPECT_EQ(fault(R"("plugins": "a.so")"), "/plugins: found \"a.so\", expected a list");
  EXPECT_EQ(fault(R"("plugins": ["a.so", ""])"), "/plugins/1: found \"\", expected the file of a plugin");
  EXPECT_EQ(fault(R"("links": null)"), "/links: found null, expected an object");
  EXPECT_EQ(fault(R"("links": {"overflow": "drop"})").substr(0, 30), "/links/overflow: found \"drop\",");
  EXPECT_EQ(fault(R"("links": {"capacity": {"items": 0}})"),
            "/links/capacity/items: found 0, expected an integer from 1 to 1000000000");
  EXPECT_EQ(fault(R"("links": {"capacity": {"time": 5}})").substr(0, 36), "/links/capacity/time: found 5, expec");
  EXPECT_EQ(fault(R"("links": {"capacity": {"bytes": "64 apples"}})"),
            "/links/capacity/bytes: found \"64 apples\", expected a size from 1B to 1TiB, in bytes or as text such as "
            "\"64MiB\"");
  EXPECT_EQ(fault(R"("links": {"capacity": 64})"), "/links/capacity: found 64, expected an object");
  EXPECT_EQ(fault(R"("profiler": {"enabled": 1})"), "/profiler/enabled: found 1, expected true or false");
  EXPECT_EQ(fault(R"("profiler": {"folder": ""})"), "/profiler/folder: found \"\", expected a folder");
  EXPECT_EQ(fault(R"("restarts": {"max_restarts": -1})"),
            "/restarts/max_restarts: found -1, expected an integer from 0 to 1000000000");
  EXPECT_EQ(fault(R"("restarts": {"window": 60})"),
            "/restarts/window: found 60, expected a duration of at least 1ns, as text with a unit such as \"5s\"");
  EXPECT_EQ(fault(R"("restarts": {"backoff_first": "6s"})"),
            "/restarts: found a backoff_first above backoff_limit, expected a backoff_limit of at least backoff_first "
            "(defaults: 10ms and 5s)");
}

TEST(ReadPlanTest, StagesMustBeAListWithAStage) {
  EXPECT_EQ(faults_in(plan_text("[]")), Texts{"/stages: found an empty list, expected at least one stage"});
  EXPECT_EQ(faults_in(plan_text("{}")), Texts{"/stages: found an object, expected a list"});
  EXPECT_EQ(faults_in(plan_text(R"([{"mode": "serial", "stages": []}])")),
            Texts{"/stages/0/stages: found an empty list, expected at least one stage"});
}

TEST(ReadPlanTest, AllFaultsAreToldAtOnce) {
  const Texts faults = faults_in(R"({"mode": 1, "source": {"type": "nil"}, "stages": [{"type": "pass", "name": "a-b",
      "params": {"flag": 3}}, 7], "sink": [], "profiler": {"on": true}})");
  EXPECT_EQ(faults.size(), 7U);
}

TEST(ReadPlanTest, NestingIsBounded) {
  const auto nested = [](std::size_t levels) {
    std::string stages;
    for (std::size_t i = 1; i < levels; ++i) {
      stages += R"([{"mode": "serial", "stages": )";
    }
    stages += R"([{"type": "pass"}])";
    for (std::size_t i = 1; i < levels; ++i) {
      stages += "}]";
    }
    return faults_in(plan_text(stages));
  };
  EXPECT_EQ(nested(kMaxNesting), Texts());
  EXPECT_NE(nested(kMaxNesting + 1).at(0).find("pipelines nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(nested(100'000).at(0).find("nested deeper than 256 levels"), std::string::npos);
  EXPECT_FALSE(faults_in(std::string(1'000'000, '[')).empty());
}

TEST(ReadPlanTest, NumberOfStagesIsBounded) {
  std::string stages = "[";
  for (std::size_t i = 0; i < kMaxStages; ++i) {
    stages += R"({"type": "pass"},)";
  }
  const std::string allowed = stages.substr(0, stages.size() - 1) + "]";
  EXPECT_EQ(faults_in(plan_text(allowed)), Texts());
  EXPECT_EQ(faults_in(plan_text(stages + R"({"type": "pass"}])")),
            Texts{"/stages: found more than 10000 stages in this plan, expected fewer stages"});
}

TEST(ReadPlanTest, ItemTypesMustFitAlongTheWay) {
  EXPECT_EQ(faults_in(plan_text(R"([{"name": "Resize", "type": "image.resize", "params": {"width": 3}}])")),
            Texts{"/stages/0: found items of type \"text\" from MainPipeline__Source, expected items of type "
                  "\"image\", which MainPipeline__Resize takes"});
  EXPECT_EQ(faults_in(R"({"source": {"type": "files", "params": {"path": "p"}}, "sink": {"type": "null"}, "stages": [
      {"mode": "serial", "name": "Row", "stages": [{"name": "D", "type": "image.decode"}]},
      {"name": "E", "type": "image.decode"}]})"),
            Texts{"/stages/1: found items of type \"image\" from MainPipeline__Row__D, expected items of type "
                  "\"bytes\", which MainPipeline__E takes"});
}

TEST(ReadPlanTest, AnyFitsEveryItemType) {
  EXPECT_EQ(faults_in(plan_text(R"([{"type": "pass"}, {"type": "image.decode"}, {"type": "pass"}])")), Texts());
}

TEST(ReadPlanTest, UnreadableStagesGiveNoFalseTypeFaults) {
  EXPECT_EQ(faults_in(R"({"source": {"type": "files", "params": {"path": "p"}}, "sink": {"type": "null"},
                          "stages": [7, {"type": "image.encode"}]})"),
            Texts{"/stages/0: found 7, expected an object"});
}

TEST(ReadPlanTest, LinksOnlyWhereThereIsOne) {
  const auto fault = [](const std::string& stages, const std::string& more = "") {
    const Texts faults = faults_in(plan_text(stages, more));
    return faults.size() == 1 ? faults[0] : std::to_string(faults.size()) + " faults";
  };
  EXPECT_EQ(fault(R"([{"mode": "serial", "stages": [{"type": "pass", "link": {}}, {"type": "pass", "link": {}}]}])"),
            "/stages/0/stages/1/link: found a link in front of MainPipeline__Stage_1__Stage_2, expected no link here: "
            "in a serial pipeline the stage before it calls it directly");
  EXPECT_EQ(fault(R"([{"type": "pass", "link": {}}])", R"(, "mode": "serial")").substr(0, 38),
            "/stages/0/link: found a link in front ");
  EXPECT_EQ(fault(R"([{"mode": "parallel", "stages": [{"type": "pass", "link": {"overflow": "drop_newest"}}]}])",
                  R"(, "mode": "serial")"),
            "/stages/0/stages/0/link/overflow: found \"drop_newest\", expected \"block\": a serial pipeline waits for "
            "every item that passes here, as replicas and branches do");
}

TEST(ReadPlanTest, ExternalEndsAreNotForPlanFiles) {
  EXPECT_EQ(faults_in(R"({"source": "external", "sink": {"type": "null"}, "stages": [{"type": "pass"}]})"),
            Texts{"/source: found \"external\", expected an object"});
}

TEST(ReadPlanTest, WhatIsWrittenForWorkersIsNoPlanFile) {
  const Plan external = make_plan(Mode::parallel, {make_stage("A")}, EndKind::external);
  for (const std::string& text :
       {write_plan(external), plan_text(R"([{"type": "pass"}])", R"(, "$normalized": false)")}) {
    const Texts faults = faults_in(text);
    ASSERT_FALSE(faults.empty()) << text;
    EXPECT_EQ(faults.front(),
              "/$normalized: found the key \"$normalized\", expected a plan file without it: it marks what a "
              "coordinator hands to its workers");
  }
  EXPECT_EQ(faults_in(write_plan(external)).size(), 3U);  // and both ends
}

TEST(WritePlanTest, ComesBackTheSame) {
  const Plan sut = plan_in(kFull);
  const std::string text = write_plan(sut);
  EXPECT_EQ(written_plan_in(text), sut);
  EXPECT_EQ(write_plan(written_plan_in(text)), text);
}

TEST(WritePlanTest, ExternalEndsAndDefaultsComeBackTheSame) {
  const Plan from_file = plan_in(plan_text(R"([{"type": "pass", "params": {"ratio": 2, "extra": {"b": [1, null],
      "a": 0.5}, "wait": "3ms", "size": "2KiB"}}, {"name": "P", "mode": "serial", "stages": [{"type": "pass"}]}])"));
  Plan sut = make_plan(Mode::serial, from_file.root.children, EndKind::external);
  sut.root.children[0].stage->faults.timeout = Duration(1);
  EXPECT_EQ(written_plan_in(write_plan(sut)), sut);
}

TEST(WritePlanTest, SharesComeBackTheSame) {
  for (const char* share : {R"("turn")", R"("least_loaded")", R"({"key": {}})", R"({"key": {"column": 2}})",
                            R"({"key": {"column": 2, "separator": ", "}})", R"({"key": {"offset": 4, "bytes": 8}})",
                            R"({"key": {"json": "/a/0"}})"}) {
    const Plan sut = plan_in(plan_text(
        R"([{"mode": "parallel", "replicas": 3, "stages": [{"type": "pass"}], "share": )" + std::string(share) + "}]"));
    EXPECT_EQ(written_plan_in(write_plan(sut)), sut) << share;
  }
}

TEST(PluginNamesTest, AreReadWhateverElseIsWrong) {
  const auto sut = read_plugin_names(R"({"plugins": ["a.so", "b.so"], "mode": 3})");
  EXPECT_EQ(std::get<std::vector<std::string>>(sut), (Texts{"a.so", "b.so"}));
  EXPECT_EQ(std::get<std::vector<std::string>>(read_plugin_names("{}")), Texts());
}

TEST(PluginNamesTest, FaultsOfTheListAndOfTheSyntax) {
  const auto where = [](std::string_view text) {
    return std::get<std::vector<PlanFault>>(read_plugin_names(text)).at(0).where;
  };
  EXPECT_EQ(where(R"({"plugins": [1]})"), "/plugins/0");
  EXPECT_EQ(where(R"({"plugins": {}})"), "/plugins");
  EXPECT_EQ(where("{"), "line 1, column 2");
  EXPECT_EQ(where("3"), "");
}

TEST(PlanFaultTest, TextNamesFilePlaceAndHint) {
  const PlanFault sut{"/stages/0/type", "\"image.gary\"", "a registered stage type", "did you mean \"image.gray\"?"};
  EXPECT_EQ(to_string(sut, "plan.json"),
            "plan.json: /stages/0/type: found \"image.gary\", expected a registered stage type (did you mean "
            "\"image.gray\"?)");
  EXPECT_EQ(to_string({"", "3", "an object", ""}, "plan.json"), "plan.json: found 3, expected an object");
  EXPECT_EQ(to_string({"--set A.b", "3", "text", ""}, "plan.json"), "--set A.b: found 3, expected text");
}

}  // namespace
}  // namespace pystream::plan::test
