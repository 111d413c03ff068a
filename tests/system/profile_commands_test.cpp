#include "system/profile_support.hpp"

namespace pystream::test {
namespace {

class ProfileCommandsTest : public ProfileSystemTest {
 protected:
  void SetUp() override {
    const std::string file =
        plan(3000, "100us", {R"({"name": "A", "type": "test.mix"})", R"({"name": "B", "type": "test.add"})"});
    ASSERT_EQ(coord({"run", file, "--quiet"}).exit_code, 0);
  }
  /// Runs a Python 3 expression on the JSON in a file.
  std::string python(const std::string& file, const std::string& expression) const {
    const ProgramRun run = run_program(
        {"python3", "-c", "import json,sys\nd=json.load(open(sys.argv[1]))\nprint(" + expression + ")", file});
    return run.exit_code == 0 ? run.out : run.err;
  }
};

TEST_F(ProfileCommandsTest, ProfileInThreeFormats) {
  const ProgramRun table = coord({"profile"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(table.out.find("p99.9"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("bottleneck"), std::string::npos) << table.out;
  folder_.write("p.json", coord({"profile", "--format", "json"}).out);
  EXPECT_EQ(python(folder_ / "p.json", "[k['items'] for k in d['keys']]"), "[3000, 3000, 3000, 3000, 3000]\n");
  const ProgramRun csv = coord({"profile", "--format", "csv"});
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 6);
}

TEST_F(ProfileCommandsTest, UnknownRunsAreNamed) {
  const ProgramRun run = coord({"profile", "--run", "77"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("there is no run 77"), std::string::npos) << run.err;
  for (const char* wrong : {"newest", "0", "-1", "1x", "last-", "last--1", "last-x", "last1", "lastly", "+1",
                            "last-99999999999999999999", "99999999999999999999"}) {
    const ProgramRun refused = coord({"profile", std::string("--run=") + wrong});
    EXPECT_EQ(refused.exit_code, 1) << wrong;
    EXPECT_NE(refused.err.find("names no run"), std::string::npos) << wrong << refused.err;
  }
  EXPECT_EQ(coord({"profile", "--run", "last-0"}).exit_code, 0);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"trace", "77"}, {"report", "77"}, {"why", "--run", "77"}, {"dead-letters", "list", "--run", "77"}}) {
    EXPECT_NE(coord(command).err.find("there is no run 77"), std::string::npos) << command[0];
  }
}

TEST_F(ProfileCommandsTest, TraceFollowsTheTraceEventFormat) {
  const std::string file = folder_ / "trace.json";
  ASSERT_EQ(coord({"trace", "last", "-o", file}).exit_code, 0);
  const ProgramRun check = run_program({"python3", PYSTREAM_TEST_TRACE_CHECK, file});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  EXPECT_GT(std::stol("0" + check.out), 1000) << check.out;
  EXPECT_NE(check.out.find(" flows over 4 tracks"), std::string::npos) << check.out;
  EXPECT_EQ(python(file, "len(set(e['tid'] for e in d['traceEvents'] if e['ph']=='X'))"), "4\n");
  const ProgramRun item = coord({"trace", "last", "--item", "0"});
  EXPECT_NE(item.out.find("waited"), std::string::npos) << item.err;
  EXPECT_EQ(coord({"trace", "last", "--item", "999999"}).exit_code, 1);
}

/// Stages that call one another, that give several outputs, and that have several items in work at once.
TEST_F(ProfileCommandsTest, SlicesOfATrackNestOrFollowOneAnother) {
  const std::string stage = R"({"name": "A", "type": "test.mix"}, {"name": "B", "type": "test.repeat"})";
  const std::string cat = R"("type": "exec", "params": {"command": ["cat"], "framing": "u32"}})";
  for (const std::string& stages :
       {R"({"name": "Row", "mode": "serial", "stages": [)" + stage + R"(, {"name": "C", "type": "test.count"}]})",
        R"({"name": "Row", "mode": "serial", "stages": [)" + stage +
            R"(, {"name": "Inner", "mode": "parallel", "stages": [{"name": "C", "type": "test.add"}]}]})",
        R"({"name": "Row", "mode": "serial", "stages": [{"name": "A", )" + cat + R"(, {"name": "B", )" + cat + "]}",
        R"({"name": "Many", )" + cat}) {
    ASSERT_EQ(coord({"run", plan(1000, "0s", {stages}), "--quiet"}).exit_code, 0) << stages;
    const std::string file = folder_ / "trace.json";
    ASSERT_EQ(coord({"trace", "last", "-o", file}).exit_code, 0);
    const ProgramRun check = run_program({"python3", PYSTREAM_TEST_TRACE_CHECK, file});
    EXPECT_EQ(check.exit_code, 0) << stages << check.out << check.err;
  }
}

TEST_F(ProfileCommandsTest, DiffPassesEqualRunsAndFailsSlowerOnes) {
  EXPECT_EQ(coord({"diff", "last", "last", "--fail-if", "p99>+0%"}).exit_code, 0);
  EXPECT_EQ(coord({"diff", "last", "last", "--fail-if", "p99>ten"}).exit_code, 2);
  const std::string file =
      plan(500, "3ms", {R"({"name": "A", "type": "test.mix"})", R"({"name": "B", "type": "test.add"})"});
  ASSERT_EQ(coord({"run", file, "--quiet"}).exit_code, 0);
  const ProgramRun slower = coord({"diff", "last-1", "last", "--fail-if", "throughput<-30%"});
  EXPECT_EQ(slower.exit_code, 1) << slower.out;
  EXPECT_NE(slower.err.find("throughput of"), std::string::npos) << slower.err;
}

TEST_F(ProfileCommandsTest, ReportIsOnePageThatABrowserShows) {
  const std::string page = folder_ / "report.html";
  ASSERT_EQ(coord({"report", "last", "-o", page}).exit_code, 0);
  const std::string html = folder_.read("report.html");
  for (const char* outside : {"http://", "https://", "src=", "@import", "url(http"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  if (run_program({"sh", "-c", "command -v chromium"}).exit_code != 0) {
    GTEST_SKIP() << "no chromium to look at the page with";
  }
  const std::string picture = folder_ / "report.png";
  const ProgramRun browser = run_program({"chromium", "--headless", "--no-sandbox", "--disable-gpu",
                                          "--window-size=1280,2400", "--user-data-dir=" + folder_ / "browser",
                                          "--screenshot=" + picture, "--dump-dom", "file://" + page});
  ASSERT_TRUE(std::filesystem::exists(picture)) << browser.err;
  EXPECT_GT(std::filesystem::file_size(picture), 50'000U) << "more than an empty page";
  EXPECT_NE(browser.out.find("limited by"), std::string::npos) << "the script ran";
}

TEST_F(ProfileCommandsTest, RunningPipelinesAreFoundWatchedAndStopped) {
  PipelineRun running(plan_text(0, "100us", {R"({"name": "A", "type": "test.mix"})"}), folder_, {"--quiet"});
  const std::string pid = std::to_string(running.pid());
  ASSERT_TRUE(wait_until([&] {
    return coord({"top", pid, "--once", "--json", "--interval", "0.2"}).out.find("\"running\"") != std::string::npos;
  }));
  folder_.write("list.json", coord({"list", "--json"}).out);
  EXPECT_EQ(python(folder_ / "list.json", "[p['name'] for p in d if p['pid'] == " + pid + "]"), "['plan']\n");
  folder_.write("top.json", coord({"top", pid, "--once", "--json", "--interval", "0.5"}).out);
  EXPECT_EQ(python(folder_ / "top.json", "all(s['pid'] > 0 and s['items_per_s'] > 0 for s in d['stages'])"), "True\n");
  EXPECT_NE(coord({"top", pid, "--once", "--interval", "0.2"}).out.find("memory"), std::string::npos);
  EXPECT_EQ(coord({"stop", pid}).exit_code, 0);
  EXPECT_EQ(running.wait(), 0) << running.errors();
  EXPECT_EQ(coord({"top", pid, "--once"}).exit_code, 1);
}

}  // namespace
}  // namespace pystream::test
