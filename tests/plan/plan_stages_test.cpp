#include "plan/plan_support.hpp"

/// What stands in one stage of a plan file.
namespace pystream::plan::test {
namespace {

std::string only_fault(const std::string& stages) {
  const Texts faults = faults_in(plan_text(stages));
  std::string all;
  for (const std::string& fault : faults) {
    all += (all.empty() ? "" : "\n") + fault;
  }
  return all;
}

/// Of a stage of type "pass" with these parameters.
std::string param_fault(const std::string& params) {
  return only_fault(R"([{"type": "pass", "params": {)" + params + "}}]");
}

TEST(StageTypeTest, UnknownTypesHaveSuggestions) {
  EXPECT_EQ(
      only_fault(R"([{"type": "image.ecnode"}])"),
      "/stages/0/type: found \"image.ecnode\", expected a registered stage type (did you mean \"image.encode\"?)");
  EXPECT_EQ(only_fault(R"([{"type": "encode"}])"),
            "/stages/0/type: found \"encode\", expected a registered stage type (did you mean \"image.encode\"?)");
  EXPECT_EQ(only_fault(R"([{"type": "completely_else"}])"),
            "/stages/0/type: found \"completely_else\", expected a registered stage type");
  EXPECT_EQ(only_fault(R"([{"type": 3}])"), "/stages/0/type: found 3, expected a string");
}

TEST(StageTypeTest, KindMustFitThePlace) {
  EXPECT_EQ(only_fault(R"([{"type": "lines"}])"),
            "/stages/0/type: found \"lines\", which is a source type, expected a registered stage type");
  EXPECT_EQ(faults_in(R"({"source": {"type": "null"}, "stages": [{"type": "pass"}], "sink": {"type": "pass"}})"),
            (Texts{"/source/type: found \"null\", which is a sink type, expected a registered source type",
                   "/sink/type: found \"pass\", which is a stage type, expected a registered sink type"}));
}

TEST(StageKeysTest, AStageNeedsATypeAndAPipelineStages) {
  EXPECT_EQ(only_fault(R"([{"name": "A"}])"), "/stages/0: found no key \"type\", expected registered type");
  EXPECT_EQ(only_fault(R"([{"name": "A", "mode": "serial"}])"),
            "/stages/0: found no key \"stages\", expected what is done to each item, in order");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "stages": []}])"),
            "/stages/0: found \"type\" beside \"stages\" or \"mode\", expected \"type\" for a stage, or \"mode\" and "
            "\"stages\" for a pipeline");
  EXPECT_EQ(only_fault(R"(["pass"])"), "/stages/0: found \"pass\", expected an object");
}

TEST(StageKeysTest, UnknownKeys) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "time_out": "5s"}])"),
            "/stages/0/time_out: found the key \"time_out\", expected one of \"name\", \"type\", \"params\", "
            "\"timeout\", \"start_timeout\", \"on_crash\", \"on_error\", \"max_attempts\", \"limits\", \"host\", "
            "\"link\", \"replicas\", \"share\" (did you mean \"timeout\"?)");
  EXPECT_EQ(only_fault(R"([{"mode": "serial", "timeout": "5s", "stages": [{"type": "pass"}]}])"),
            "/stages/0/timeout: found the key \"timeout\", expected one of \"name\", \"mode\", \"join\", "
            "\"stages\", \"replicas\", \"share\", \"host\"");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "a/b~c": 1}])").substr(0, 19), "/stages/0/a~1b~0c: ");
}

TEST(StageKeysTest, ReplicasAreCounted) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 2}])"), "");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 0}])"),
            "/stages/0/replicas: found 0, expected an integer from 1 to 64");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 65}])"),
            "/stages/0/replicas: found 65, expected an integer from 1 to 64");
  EXPECT_EQ(only_fault(R"([{"mode": "serial", "replicas": 4, "stages": [{"type": "pass"}]}])"), "");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 64, "share": "least_loaded"}])"),
            "/stages/0/replicas: found 64, expected at most 63 replicas, as they do not share in turn");
}

TEST(PlanStagesTest, AutoReplicasAreCheckedAsSeveral) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": "auto"}])"), "");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": "auto", "link": {"overflow": "drop_oldest"}}])").substr(0, 16),
            "/stages/0: found");
  EXPECT_EQ(only_fault(R"([{"mode": "serial", "stages": [{"type": "pass", "replicas": "auto"}]}])").substr(0, 44),
            "/stages/0/stages/0/replicas: found 2, expect");
}

std::string share_fault(const std::string& share) {
  return only_fault(R"([{"type": "pass", "replicas": 2, "share": )" + share + "}]");
}

TEST(PlanStagesTest, ReplicasShareInOneOfSeveralWays) {
  for (const char* share :
       {R"("turn")", R"("least_loaded")", R"({"key": {}})", R"({"key": {"column": 2}})",
        R"({"key": {"column": 2, "separator": ","}})", R"({"key": {"offset": "1KiB", "bytes": 8}})",
        R"({"key": {"bytes": 8}})", R"({"key": {"json": "/user/id"}})", R"({"key": {"json": ""}})"}) {
    EXPECT_EQ(share_fault(share), "") << share;
  }
}

TEST(PlanStagesTest, SaysWhatIsWrongWithAShare) {
  EXPECT_EQ(share_fault(R"("random")"),
            "/stages/0/share: found \"random\", expected \"turn\", \"least_loaded\" or {\"key\": {…}}");
  EXPECT_EQ(share_fault("{}"),
            "/stages/0/share: found no key \"key\", expected where the key of an item stands; {}: the "
            "item is its key");
  EXPECT_EQ(share_fault(R"({"key": {"column": 0}})"),
            "/stages/0/share/key/column: found 0, expected an integer from 1 to 1000000000");
  EXPECT_EQ(share_fault(R"({"key": {"column": 1, "json": "/a"}})"),
            "/stages/0/share/key/json: found a second place for the key, expected one of \"column\", \"bytes\" and "
            "\"json\"");
  EXPECT_EQ(share_fault(R"({"key": {"separator": ","}})"),
            "/stages/0/share/key/separator: found \"separator\" alone, expected \"column\" beside it");
  EXPECT_EQ(share_fault(R"({"key": {"offset": 4}})"),
            "/stages/0/share/key/offset: found \"offset\" alone, expected \"bytes\" beside it");
  EXPECT_EQ(share_fault(R"({"key": {"json": "user"}})"),
            "/stages/0/share/key/json: found \"user\", expected a JSON pointer, which begins with \"/\": \"/user/id\"");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "share": "turn"}])"),
            "/stages/0/share: found \"share\" without replicas, expected \"replicas\": 2 or more beside it");
}

TEST(StageKeysTest, EndsHaveNoReplicas) {
  const auto fault = [](const std::string& source, const std::string& sink) {
    const Texts faults = faults_in(R"({"source": {"type": "lines")" + source +
                                   R"(}, "stages": [{"type": "pass"}], "sink": {"type": "null")" + sink + "}}");
    return faults.size() == 1 ? faults.front().substr(0, faults.front().find(',')) : "no single fault";
  };
  const std::string key = R"(, "replicas": 2)";
  EXPECT_EQ(fault(key, ""), "/source/replicas: found the key \"replicas\"");
  EXPECT_EQ(fault("", key), "/sink/replicas: found the key \"replicas\"");
}

TEST(StageKeysTest, AStageOfASerialPipelineHasNoReplicas) {
  const std::string expected =
      ": found 2, expected no replicas here: a serial pipeline has one item at a time; give the serial pipeline itself "
      "replicas, or put the stage into a parallel one";
  EXPECT_EQ(only_fault(R"([{"mode": "serial", "stages": [{"type": "pass", "replicas": 2}]}])"),
            "/stages/0/stages/0/replicas" + expected);
  EXPECT_EQ(only_fault(
                R"([{"mode": "serial", "stages": [{"mode": "serial", "replicas": 2, "stages": [{"type": "pass"}]}]}])"),
            "/stages/0/stages/0/replicas" + expected);
  EXPECT_EQ(
      only_fault(
          R"([{"mode": "serial", "stages": [{"mode": "parallel", "replicas": 2, "stages": [{"type": "pass"}]}]}])"),
      "");
}

TEST(StageKeysTest, ALinkToReplicasDoesNotDropTheOldest) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 2, "link": {"overflow": "drop_oldest"}}])"),
            "/stages/0: found \"drop_oldest\" on the link Source -> Stage_1, expected \"block\" or \"drop_newest\" in "
            "front of replicas and branches: what each of them takes must not be overwritten");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "replicas": 2, "link": {"overflow": "drop_newest"}}])"), "");
}

TEST(StageKeysTest, BranchesHaveAJoin) {
  const std::string two = R"([{"name": "A", "type": "pass"}, {"name": "B", "type": "pass"}])";
  const auto branches = [](const std::string& keys, const std::string& stages) {
    return R"([{"name": "V", "mode": "branch", )" + keys + R"("stages": )" + stages + "}]";
  };
  for (const char* join : {"zip", "merge", "first"}) {
    EXPECT_EQ(only_fault(branches(R"("join": ")" + std::string(join) + "\", ", two)), "");
  }
  EXPECT_EQ(only_fault(branches("", two)), "");
  EXPECT_EQ(only_fault(branches(R"("join": "both", )", two)).substr(0, 32), "/stages/0/join: found \"both\", ex");
  EXPECT_EQ(
      only_fault(R"([{"mode": "parallel", "join": "zip", "stages": )" + two + "}]"),
      "/stages/0/join: found \"join\" in a pipeline of mode \"parallel\", expected \"mode\": \"branch\" beside it");
  EXPECT_EQ(only_fault(branches("", R"([{"type": "pass"}])")),
            "/stages/0: found one branch, expected at least two with \"join\": \"zip\"");
  EXPECT_EQ(
      only_fault(branches(
          "", R"([{"name": "A", "type": "pass"}, {"name": "M", "mode": "branch", "join": "merge", "stages": )" + two +
                  "}]")),
      "/stages/0: found \"join\": \"merge\" in the branch \"M\", expected one answer of each branch to an item, as "
      "\"join\": \"zip\" makes one item of them");
}

TEST(StageKeysTest, ABranchThatJoinsNothingEndsInASink) {
  const auto taps = [](const std::string& branch, const std::string& keys = "") {
    return only_fault(R"([{"name": "T", "mode": "branch", "join": "none", )" + keys + R"("stages": [)" + branch +
                      R"(]}, {"type": "pass"}])");
  };
  EXPECT_EQ(taps(R"({"type": "null"})"), "");
  EXPECT_EQ(taps(R"({"mode": "parallel", "stages": [{"type": "pass"}, {"type": "null"}]})"), "");
  EXPECT_EQ(taps(R"({"mode": "serial", "stages": [{"type": "pass"}, {"type": "null"}]})"), "");
  EXPECT_EQ(taps(R"({"type": "pass"})").substr(0, 64),
            "/stages/0/stages/0/type: found \"pass\", which is a stage type, ex");
  EXPECT_EQ(taps(R"({"type": "null", "replicas": 2})").substr(0, 37), "/stages/0/stages/0/replicas: found th");
  EXPECT_EQ(
      taps(R"({"type": "null"})", R"("replicas": 2, )"),
      "/stages/0/replicas: found 2, expected no replicas here: there is a sink in it, and several would write the "
      "same");
  EXPECT_EQ(taps(R"({"mode": "branch", "join": "none", "stages": [{"type": "null"}]})"),
            "/stages/0/stages/0: found branches at the end of a branch that joins nothing, expected a sink there");
}

TEST(StageKeysTest, BranchesAgreeOnTheLinkThatTheyRead) {
  const auto fault = [](const std::string& one, const std::string& other) {
    return only_fault(R"([{"mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "pass", "link": )" +
                      one + R"(}, {"name": "B", "type": "pass", "link": )" + other + "}]}]");
  };
  const std::string small = R"({"capacity": {"items": 2}})";
  EXPECT_EQ(fault(small, small), "");
  EXPECT_EQ(
      faults_in(plan_text(
          R"([{"mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "pass", "link": {"capacity": {"items": 2}}}, {"name": "B", "type": "pass"}]}])")),
      Texts());
  EXPECT_NE(
      faults_in(
          plan_text(
              R"([{"mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "pass", "link": {"capacity": {"items": 2}}}, {"name": "B", "type": "pass", "link": {"capacity": {"items": 3}}}]}])"))
          .size(),
      0U);
}

TEST(StageKeysTest, WhatBranchesGiveFitsTheNextStage) {
  const auto faults = [](const std::string& join, const std::string& next) {
    return faults_in(
        R"({"source": {"type": "files", "params": {"path": "."}}, "stages": [{"name": "D", "type": "image.decode"}, {"name": "V", "mode": "branch", "join": ")" +
        join +
        R"(", "stages": [{"name": "A", "type": "image.convolve"}, {"name": "B", "type": "image.encode"}]}, {"name": "N", "type": ")" +
        next + R"("}], "sink": {"type": "null"}})");
  };
  EXPECT_EQ(faults("zip", "pass"), Texts());
  ASSERT_EQ(faults("zip", "image.decode").size(), 1U);
  EXPECT_NE(faults("zip", "image.decode")[0].find("\"tuple<image, bytes>\" from "), std::string::npos);
  for (const char* next : {"image.decode", "pass"}) {
    ASSERT_EQ(faults("merge", next).size(), 1U);
    EXPECT_NE(faults("merge", next)[0].find("items of one type from all branches"), std::string::npos);
  }
}

TEST(StageKeysTest, ReplicasInReplicasAreCountedTogether) {
  std::string stages = R"({"type": "pass"})";
  for (int i = 0; i < 3; ++i) {
    stages = R"({"mode": "parallel", "replicas": 64, "stages": [)" + stages + "]}";
  }
  EXPECT_EQ(only_fault("[" + stages + "]"),
            "/stages: found more than 10000 stages, each replica counted, expected fewer replicas");
}

TEST(StageKeysTest, ASourceHasNoInputLink) {
  const Texts sut =
      faults_in(R"({"source": {"type": "lines", "link": {}}, "stages": [{"type": "pass"}], "sink": {"type": "null"}})");
  ASSERT_EQ(sut.size(), 1U);
  EXPECT_EQ(sut[0].substr(0, 45), "/source/link: found the key \"link\", expected ");
}

TEST(StageKeysTest, ASourceIsRefusedWhatItCannotDo) {
  const auto fault = [](const std::string& key) {
    const Texts sut = faults_in(R"({"source": {"type": "lines", )" + key +
                                R"(}, "stages": [{"type": "pass"}], "sink": {"type": "null"}})");
    return sut.size() == 1 ? sut[0] : std::to_string(sut.size()) + " faults";
  };
  EXPECT_EQ(fault(R"("on_error": "retry")"),
            "/source/on_error: found \"retry\", expected \"fail\", \"skip\" or \"dead_letter\"");
  EXPECT_EQ(fault(R"("on_crash": "skip")"), "/source/on_crash: found \"skip\", expected \"replay\" or \"fail\"");
  EXPECT_EQ(fault(R"("on_error": "skip", "on_crash": "fail")"), "0 faults");
}

TEST(StageKeysTest, WrongPolicies) {
  const auto fault = [](const std::string& key) { return only_fault(R"([{"type": "pass", )" + key + "}]"); };
  EXPECT_EQ(fault(R"("on_crash": "replya")"),
            "/stages/0/on_crash: found \"replya\", expected \"replay\", \"skip\" or \"fail\" (did you mean "
            "\"replay\"?)");
  EXPECT_EQ(fault(R"("on_error": "deadletter")"),
            "/stages/0/on_error: found \"deadletter\", expected \"dead_letter\", \"skip\", \"retry\" or \"fail\" (did "
            "you mean \"dead_letter\"?)");
  EXPECT_EQ(fault(R"("max_attempts": 0)"), "/stages/0/max_attempts: found 0, expected an integer from 1 to 1000000000");
  EXPECT_EQ(fault(R"("max_attempts": 2.5)").substr(0, 34), "/stages/0/max_attempts: found 2.5,");
  EXPECT_EQ(fault(R"("timeout": "0s")"),
            "/stages/0/timeout: found \"0s\", expected a duration of at least 1ns, as "
            "text with a unit such as \"5s\"");
  EXPECT_EQ(fault(R"("start_timeout": "5")").substr(0, 34), "/stages/0/start_timeout: found \"5\"");
  EXPECT_EQ(fault(R"("limits": {"nice": 20})"), "/stages/0/limits/nice: found 20, expected an integer from -20 to 19");
  EXPECT_EQ(fault(R"("limits": {"memory": -1})").substr(0, 34), "/stages/0/limits/memory: found -1,");
  EXPECT_EQ(fault(R"("limits": {"cpu_time": 3})").substr(0, 35), "/stages/0/limits/cpu_time: found 3,");
  EXPECT_EQ(fault(R"("limits": {"affinity": [0, -1]})"),
            "/stages/0/limits/affinity/1: found -1, expected an integer from 0 to 4095");
  EXPECT_EQ(fault(R"("limits": {"affinity": 1})"), "/stages/0/limits/affinity: found 1, expected a list");
  EXPECT_EQ(fault(R"("limits": 3)"), "/stages/0/limits: found 3, expected an object");
  EXPECT_EQ(fault(R"("link": {"overflow": 3})").substr(0, 34), "/stages/0/link/overflow: found 3, ");
}

TEST(StageNamesTest, UnnamedStagesAreCountedInTheirPipeline) {
  const Plan sut = plan_in(plan_text(R"([{"type": "pass"}, {"name": "A", "type": "pass"}, {"mode": "serial", "stages":
      [{"type": "pass"}, {"type": "pass"}]}, {"type": "pass"}])"));
  EXPECT_EQ(sut.root.children[0].name, "Stage_1");
  EXPECT_EQ(sut.root.children[2].name, "Stage_2");
  EXPECT_EQ(sut.root.children[2].children[1].name, "Stage_2");
  EXPECT_EQ(sut.root.children[3].name, "Stage_3");
}

TEST(StageNamesTest, BrokenRulesAreNamed) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": "a-b"}])"),
            "/stages/0/name: found \"a-b\", expected another name: a stage name must not contain \"-\"");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": ""}])"),
            "/stages/0/name: found \"\", expected another name: a stage name must not be empty");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": 3}])"), "/stages/0/name: found 3, expected a string");
}

TEST(StageNamesTest, SiblingsMustDiffer) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": "A"}, {"mode": "serial", "name": "A", "stages":
      [{"type": "pass", "name": "A"}]}])"),
            "/stages/1/name: found a second \"A\", expected another name: names are unique within a pipeline");
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": "Stage_1"}, {"type": "pass"}])"),
            "/stages/1: found a second \"Stage_1\", expected another name: names are unique within a pipeline");
}

TEST(StageNamesTest, EndsAreSiblingsToo) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "name": "Source"}])"),
            "/stages/0/name: found a second \"Source\", expected another name: names are unique within a pipeline");
  EXPECT_EQ(faults_in(R"({"source": {"type": "lines", "name": "X"}, "stages": [{"type": "pass", "name": "Source"}],
                          "sink": {"type": "null", "name": "X"}})"),
            Texts{"/sink/name: found a second \"X\", expected another name: names are unique within a pipeline"});
  EXPECT_EQ(faults_in(R"({"source": {"type": "lines", "name": "Sink"}, "stages": [{"type": "pass"}],
                          "sink": {"type": "null"}})"),
            Texts{"/sink: found an unnamed sink beside a source named \"Sink\", expected names that differ"});
}

TEST(StageParamsTest, DefaultsAreFilledInAndNormalised) {
  const Plan plan = plan_in(plan_text(R"([{"type": "pass", "params": {"ratio": 2, "label": null}}])"));
  const Params& sut = plan.root.children[0].stage->params;
  EXPECT_FALSE(sut.boolean("flag"));
  EXPECT_EQ(*sut.find("ratio"), ParamValue(2.0));
  EXPECT_EQ(sut.bytes("size"), 1024U);
  EXPECT_EQ(sut.duration("wait"), std::chrono::seconds(1));
  EXPECT_FALSE(sut.has("list"));
  EXPECT_FALSE(sut.has("label"));
}

TEST(StageParamsTest, GivenValuesAreNormalised) {
  const Plan plan = plan_in(plan_text(R"([{"type": "pass", "params": {"flag": true, "size": "64MiB", "wait": "20ms",
      "list": [1, "a"], "extra": {"z": 1, "a": [null]}}}, {"type": "pass", "params": {"size": 7.0}}])"));
  const Params& sut = plan.root.children[0].stage->params;
  EXPECT_TRUE(sut.boolean("flag"));
  EXPECT_EQ(*sut.find("size"), ParamValue(64 << 20));
  EXPECT_EQ(*sut.find("wait"), ParamValue(20'000'000));
  EXPECT_EQ(sut.list("list"), (ParamList{ParamValue(1), ParamValue("a")}));
  EXPECT_EQ(*sut.find("extra"), ParamValue(ParamMap{{"z", ParamValue(1)}, {"a", ParamList{ParamValue()}}}));
  EXPECT_EQ(plan.root.children[1].stage->params.bytes("size"), 7U);
}

TEST(StageParamsTest, UnknownParamsHaveSuggestions) {
  EXPECT_EQ(param_fault(R"("rate": 1)"),
            "/stages/0/params/rate: found the parameter \"rate\", expected one of \"flag\", \"ratio\", \"size\", "
            "\"wait\", \"list\", \"extra\", \"label\"");
  EXPECT_NE(param_fault(R"("siez": 1)").find("(did you mean \"size\"?)"), std::string::npos);
  EXPECT_EQ(faults_in(R"({"source": {"type": "lines", "params": {"x": 1}}, "stages": [{"type": "pass"}],
                          "sink": {"type": "null"}})"),
            Texts{"/source/params/x: found the parameter \"x\", expected \"lines\" takes no parameters"});
}

TEST(StageParamsTest, MissingParams) {
  EXPECT_EQ(faults_in(R"({"source": {"type": "files"}, "stages": [{"type": "pass"}], "sink": {"type": "null"}})"),
            Texts{"/source/params: found no parameter \"path\", expected \"path\": a string"});
}

TEST(StageParamsTest, WrongTypes) {
  EXPECT_EQ(only_fault(R"([{"type": "pass", "params": []}])"),
            "/stages/0/params: found an empty list, expected an object");
  EXPECT_EQ(param_fault(R"("flag": "yes")"), "/stages/0/params/flag: found \"yes\", expected true or false");
  EXPECT_EQ(param_fault(R"("ratio": "1")"), "/stages/0/params/ratio: found \"1\", expected a number");
  EXPECT_EQ(param_fault(R"("size": "1 apple")").substr(0, 41), "/stages/0/params/size: found \"1 apple\", e");
  EXPECT_EQ(param_fault(R"("size": -1)").substr(0, 34), "/stages/0/params/size: found -1, e");
  EXPECT_EQ(param_fault(R"("wait": 5)"),
            "/stages/0/params/wait: found 5, expected a duration, as text with a unit such as \"5s\"");
  EXPECT_EQ(param_fault(R"("list": {})"), "/stages/0/params/list: found an object, expected a list");
  EXPECT_EQ(param_fault(R"("label": 3)"), "/stages/0/params/label: found 3, expected a string");
  EXPECT_EQ(param_fault(R"("flag": null)"), "/stages/0/params/flag: found null, expected true or false");
}

TEST(StageParamsTest, RangesAndChoices) {
  const auto fault = [](const std::string& stage) {
    const Texts faults = faults_in(R"({"source": {"type": "files", "params": {"path": "p"}}, "sink": {"type": "null"},
        "stages": [{"type": "image.decode"}, )" +
                                   stage + "]}");
    return faults.size() == 1 ? faults[0] : std::to_string(faults.size()) + " faults";
  };
  EXPECT_EQ(fault(R"({"type": "image.resize", "params": {"width": 0}})"),
            "/stages/1/params/width: found 0, expected an integer from 1 to 10000");
  EXPECT_EQ(fault(R"({"type": "image.resize", "params": {"width": 10001}})"),
            "/stages/1/params/width: found 10001, expected an integer from 1 to 10000");
  EXPECT_EQ(fault(R"({"type": "image.resize", "params": {"width": 1e300}})"),
            "/stages/1/params/width: found 1e+300, expected an integer from 1 to 10000");
  EXPECT_EQ(fault(R"({"type": "image.resize", "params": {"width": 18446744073709551615}})").substr(0, 30),
            "/stages/1/params/width: found ");
  EXPECT_EQ(fault(R"({"type": "image.convolve", "params": {"kernel": "blurr"}})"),
            "/stages/1/params/kernel: found \"blurr\", expected \"sharpen\" or \"blur\" (did you mean \"blur\"?)");
}

TEST(StageParamsTest, LongTextIsShortenedInMessages) {
  const std::string sut = param_fault("\"flag\": \"" + std::string(5000, 'x') + "\"");
  EXPECT_LT(sut.size(), 200U);
}

TEST(StageParamsTest, DefaultsThatDoNotFitAreFaultsOfTheType) {
  std::vector<StageType> catalog = make_types();
  catalog[0].info.params = {{.name = "n", .type = ParamType::integer, .fallback = ParamValue(5), .max = 3}};
  const auto sut =
      read_plan(R"({"source": {"type": "files"}, "stages": [{"type": "pass"}], "sink": {"type": "null"}})", catalog);
  const auto& faults = std::get<std::vector<PlanFault>>(sut);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].where, "/source/type");
}

TEST(PlanJsonTest, ASinkIsToldWhatItemsReachIt) {
  const auto item_type = [](const std::string& stages) {
    const std::string json = R"({"source": {"type": "files", "params": {"path": "x"}}, "stages": [)" + stages +
                             R"(], "sink": {"type": "lines_writer"}})";
    return std::get<Plan>(read_plan(json, types())).sink.stage->params.string("item_type");
  };
  const std::string decode = R"({"type": "image.decode"})";
  EXPECT_EQ(item_type(decode), "image");
  EXPECT_EQ(item_type(decode + R"(, {"type": "image.encode"})"), "bytes");
  EXPECT_EQ(item_type(R"({"type": "pass"})"), "bytes") << "a stage that does not say what it gives keeps what it gets";
  EXPECT_EQ(item_type(decode + R"(, {"type": "pass"}, {"type": "pass"})"), "image");
  EXPECT_EQ(item_type(R"({"type": "image.unknown"})"), "") << "it makes something else of them";
  EXPECT_EQ(item_type(R"({"type": "program"})"), "string") << "the default of the parameter that tells";
  EXPECT_EQ(item_type(R"({"type": "program", "params": {"framing": "u32"}})"), "bytes");
  EXPECT_EQ(item_type(R"({"type": "program", "params": {"framing": {"fixed": 3}}})"), "bytes");
  EXPECT_EQ(item_type(R"({"mode": "serial", "stages": [{"type": "program"}, {"mode": "parallel", "stages": [
                           {"type": "pass"}]}]}, {"type": "pass"})"),
            "string")
      << "through pipelines inside one another";
}

}  // namespace
}  // namespace pystream::plan::test
