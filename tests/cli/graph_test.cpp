#include <filesystem>

#include "cli/coord_program.hpp"

namespace pystream::test {
namespace {

/// A serial row that begins with a parallel child, which holds a serial row of its own.
constexpr const char* kNested = R"({
  "plugins": ["libpystream_testing.so"],
  "source": {"type": "generate"},
  "stages": [
    {"name": "Outer", "mode": "serial", "stages": [
      {"name": "Fan", "mode": "parallel", "stages": [
        {"name": "Left", "type": "test.add"},
        {"name": "Inner", "mode": "serial", "stages": [
          {"name": "One", "type": "test.add"}, {"name": "Two", "type": "test.add"}]}]},
      {"name": "Group", "mode": "serial", "stages": [{"name": "Last", "type": "test.add"}]}]},
    {"name": "Next", "type": "test.mix", "link": {"capacity": {"items": 8}, "overflow": "drop_oldest"}}
  ],
  "sink": {"type": "discard"}
})";

class Graph : public testing::Test {
 protected:
  ProgramRun graph(const std::string& plan, std::vector<std::string> options = {}) {
    folder_.write("plan.json", plan);
    options.insert(options.begin(), {"graph", "plan.json"});
    return coord(options, {.directory = folder_.path()});
  }
  TempFolder folder_;
};

TEST_F(Graph, TextIsATreeAndTheLinks) {
  const ProgramRun run = graph(kSmallPlan);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out,
            "plan.json\n"
            "├─ Source     lines        process\n"
            "├─ Add        test.add     process\n"
            "├─ Row                     serial, one process\n"
            "│  ├─ First   test.mix\n"
            "│  └─ Second  test.count\n"
            "└─ Sink       file_writer  process\n"
            "\nlinks\n"
            "  Source -> Add\n"
            "  Add -> Row\n"
            "  Row -> Sink\n");
}

TEST_F(Graph, TextOfNestedPipelines) {
  const ProgramRun run = graph(kNested, {"--format", "text"});
  EXPECT_CONTAINS(run.out, "│  ├─ Fan                  parallel\n│  │  ├─ Left    test.add  process\n");
  EXPECT_CONTAINS(run.out, "  Outer -> Left\n  Left -> Inner\n  Inner -> Outer\n");
  EXPECT_CONTAINS(run.out, "  Outer -> Next    drop_oldest, 8 items\n");
}

/// Two branches, one of them a pipeline with replicas, that are zipped; behind them a tap.
constexpr const char* kBranches = R"({
  "plugins": ["libpystream_testing.so"],
  "source": {"type": "generate"},
  "stages": [
    {"name": "Views", "mode": "branch", "stages": [
      {"name": "Left", "type": "test.add"},
      {"name": "Right", "mode": "parallel", "stages": [{"name": "In", "type": "test.add", "replicas": 2}]}]},
    {"name": "Aside", "mode": "branch", "join": "none", "stages": [{"name": "Log", "type": "discard"}]},
    {"name": "Next", "type": "test.mix"}
  ],
  "sink": {"type": "discard"}
})";

TEST_F(Graph, BranchesAreFramesWithTheirJoin) {
  const ProgramRun run = graph(kBranches);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out,
            "plan.json\n"
            "├─ Source       generate  process\n"
            "├─ Views                  branches, zip\n"
            "│  ├─ Left      test.add  process\n"
            "│  └─ Right               parallel\n"
            "│     └─ In \u00d72  test.add  process\n"
            "├─ Aside                  branches, none\n"
            "│  └─ Log       discard   process\n"
            "├─ Next         test.mix  process\n"
            "└─ Sink         discard   process\n"
            "\nlinks\n"
            "  Source -> Left\n"
            "  Source -> In \u00d72\n"
            "  Left -> Log\n"
            "  In \u00d72 -> Log\n"
            "  Left -> Next\n"
            "  In \u00d72 -> Next\n"
            "  Next -> Sink\n");
  EXPECT_CONTAINS(graph(kBranches, {"--format", "dot"}).out, "branches, zip");
  EXPECT_CONTAINS(graph(kBranches, {"--format", "mermaid"}).out, "Views (branches, zip)");
}

TEST_F(Graph, DotHasClustersForPipelinesAndEdgesForLinks) {
  const ProgramRun run = graph(kNested, {"--format", "dot"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.find("digraph pipeline {"), 0U);
  for (const std::string part : {"subgraph cluster_b0 {\n    label=<<b>Outer</b>", "style=\"rounded,filled,dashed\"",
                                 "w1x0 [shape=circle, fixedsize=true", "<b>Left</b><br/>", "  s0 -> w1x0;\n",
                                 "  w1x0 -> s1;\n", "  s2 -> s3 [color=", " -> s5 [label=<drop_oldest, 8 items>];\n"}) {
    EXPECT_CONTAINS(run.out, part);
  }
}

TEST_F(Graph, MermaidHasSubgraphs) {
  const ProgramRun run = graph(kNested, {"--format", "mermaid"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.find("flowchart LR\n"), 0U);
  for (const std::string part : {"  subgraph b0[\"Outer (one process)\"]\n    direction LR\n", "  class b0 worker\n",
                                 "s1(\"Left<br/><small>test.add</small>\"):::worker\n", "  s2 -.-> s3\n",
                                 "  s4 --> |\"drop_oldest, 8 items\"| s5\n", "  classDef worker "}) {
    EXPECT_CONTAINS(run.out, part);
  }
}

TEST_F(Graph, EveryWordOfAnArrowIsABox) {
  std::string plan = kNested;
  plan.insert(1, "\"mode\": \"serial\",");
  plan.erase(plan.find(", \"link\""),
             std::string(R"(, "link": {"capacity": {"items": 8}, "overflow": "drop_oldest"})").size());
  for (const std::string& text : {std::string(kSmallPlan), std::string(kNested), plan}) {
    const ProgramRun run = graph(text, {"--format", "dot"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    for (std::size_t at = 0; (at = run.out.find(" -> ", at + 1)) != std::string::npos;) {
      const std::size_t start = run.out.rfind(' ', at - 1) + 1;
      const std::size_t to = at + 4;
      EXPECT_CONTAINS(run.out, " " + run.out.substr(start, at - start) + " [");
      EXPECT_CONTAINS(run.out, " " + run.out.substr(to, run.out.find_first_of(" ;", to) - to) + " [");
    }
  }
}

TEST_F(Graph, SvgThroughGraphviz) {
  if (run_program({"sh", "-c", "command -v dot"}).exit_code != 0) {
    GTEST_SKIP() << "Graphviz is not installed";
  }
  const ProgramRun run = graph(kNested, {"--format", "svg", "-o", "plan.svg"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  const std::string svg = folder_.read("plan.svg");
  EXPECT_CONTAINS(svg, "<svg ");
  EXPECT_CONTAINS(svg, "</svg>");
  EXPECT_CONTAINS(svg, ">Outer</text>");
}

TEST_F(Graph, SvgWithoutGraphvizSaysWhatToInstall) {
  folder_.write("plan.json", kSmallPlan);
  const ProgramRun run = coord({"graph", "plan.json", "--format", "svg"},
                               {.environment = {"PATH=" + folder_.path().string()}, .directory = folder_.path()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_CONTAINS(run.err, "install the package graphviz");
}

TEST_F(Graph, WritesAFileOrSaysWhyNot) {
  EXPECT_EQ(graph(kSmallPlan, {"--format", "dot", "-o", "plan.dot"}).out, "");
  EXPECT_EQ(folder_.read("plan.dot"), graph(kSmallPlan, {"--format", "dot"}).out);
  const ProgramRun nowhere = graph(kSmallPlan, {"-o", "no/such/folder/plan.txt"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_EQ(nowhere.err, "pystream-coord: cannot write no/such/folder/plan.txt: No such file or directory\n");
  const ProgramRun full = graph(kSmallPlan, {"-o", "/dev/full"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.err, "pystream-coord: cannot write /dev/full: No space left on device\n");
}

TEST_F(Graph, ABadPlanIsRefused) {
  const ProgramRun run = graph("{}");
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "plan.json: found no key \"source\"");
}

}  // namespace
}  // namespace pystream::test
