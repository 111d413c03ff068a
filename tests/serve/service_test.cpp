#include "serve/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/json.hpp"
#include "profile/home.hpp"
#include "store/letters.hpp"
#include "store/run_store.hpp"
#include "support/temp_folder.hpp"

namespace pystream::serve {
namespace {

using testing::HasSubstr;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    std::filesystem::create_directories(folder_ / "page");
    folder_.write("page/index.html", "<!doctype html>the page");
    folder_.write("page/main.js", "1;");
    folder_.write("d3.js", "2;");
  }
  Service& sut() {
    if (!service_) {
      service_.emplace(
          ServiceSetup{.access = access_,
                       .folder = folder_ / "profiles",
                       .program = "/nonexistent",
                       .page = PageFiles(folder_ / "page", {{"d3.js", {"/nonexistent/d3.js", folder_ / "d3.js"}}})});
    }
    return *service_;
  }
  Answer get(const std::string& path, std::map<std::string, std::string> query = {}) {
    return sut().answer({.method = "GET", .path = path, .query = std::move(query), .headers = {{"Host", "h"}}});
  }
  Answer post(const std::string& path, std::map<std::string, std::string> query = {}) {
    return sut().answer(
        {.method = "POST",
         .path = path,
         .query = std::move(query),
         .headers = {{"Host", "h"}, {"Origin", "http://h"}, {"Authorization", "Bearer " + access_.token}}});
  }
  static std::string header(const Answer& answer, const std::string& name) {
    for (const auto& [each, value] : answer.headers) {
      if (each == name) {
        return value;
      }
    }
    return {};
  }
  /// A run with an hour of windows and a letter.
  void write_run() {
    profile::RunInfo info;
    info.database = profile::database_in(folder_ / "profiles");
    info.name = "<script>";
    info.plan = "{}";
    info.topology.stages = {{.key = "MainPipeline__Source", .role = plan::Role::source, .worker = 0}};
    info.topology.workers = {{.name = "MainPipeline__Source", .segments = {{.stages = {0}, .outputs = {0}}}}};
    info.topology.links = {{.name = "behind", .producer = {.worker = 0}}};
    info.topology.pipeline_keys = {"MainPipeline"};
    store::RunStore store(info);
    ASSERT_TRUE(store.lock().lock_within(1000));
    const store::StoreLock::Held held(store.lock());
    store.begin();
    store::Transaction transaction(store.database());
    for (std::uint64_t n = 0; n < 200; ++n) {
      store::RunStore::KeyWindow window;
      window.window.items = 2;
      window.total.items = 2 * n + 2;
      window.window.histogram.resize(shm::kBuckets);
      window.total.histogram.resize(shm::kBuckets);
      store.write_windows(n, shm::kWindowNs, {{0, window}, {1, window}}, {});
    }
    transaction.commit();
    store.lock().unlock();
    store::LetterStore letters(info.database);
    const std::string bytes = "\x01<b>";
    ASSERT_TRUE(letters.try_store({.run = 1, .stage = "MainPipeline__Source", .input = 3, .reason = "why \"not\""},
                                  std::as_bytes(std::span(bytes))));
  }

  test::TempFolder folder_;
  Access access_{.hosts = {"h"}, .schemes = {"http"}, .token = "t", .allow_control = true};
  std::optional<Service> service_;
};

TEST_F(ServiceTest, ServesThePageAndTheLibraryWhereItIsInstalled) {
  EXPECT_EQ(get("/").body, "<!doctype html>the page");
  EXPECT_EQ(get("/index.html").type, "text/html; charset=utf-8");
  EXPECT_EQ(get("/main.js").type, "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/lib/d3.js").body, "2;");
  for (const char* path :
       {"/nothing", "/../profiles", "//index.html", "/page/index.html", "/lib/", "", "/lib/../main.js"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
  EXPECT_THROW(PageFiles(folder_ / "nowhere", {}), std::exception);
  EXPECT_EQ(PageFiles(folder_ / "page", {{"x.js", {"/nonexistent"}}}).missing(), std::vector<std::string>{"x.js"});
}

TEST_F(ServiceTest, EveryAnswerForbidsWhatThePageDoesNotNeed) {
  for (const Answer& answer : {get("/"), get("/api/runs"), get("/nothing"), post("/api/stop")}) {
    EXPECT_THAT(header(answer, "Content-Security-Policy"), HasSubstr("default-src 'none'; script-src 'self'"));
    EXPECT_EQ(header(answer, "X-Content-Type-Options"), "nosniff");
  }
  EXPECT_EQ(header(get("/api/runs"), "Cache-Control"), "no-store");
}

TEST_F(ServiceTest, WithoutADatabaseItSaysSo) {
  for (const char* path : {"/api/runs", "/api/run", "/api/history", "/api/letters", "/api/letter", "/api/compare"}) {
    EXPECT_EQ(get(path, {{"run", "1"}}).status, 404) << path;
    EXPECT_THAT(get(path).body, HasSubstr("there is no profile database")) << path;
  }
  EXPECT_EQ(get("/api/overview").status, 200);
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(get("/healthz").body, "ok\n");
}

TEST_F(ServiceTest, TellsOfRunsAndLetters) {
  write_run();
  for (const auto& [path, query] : std::vector<std::pair<std::string, std::map<std::string, std::string>>>{
           {"/api/server", {}},
           {"/api/overview", {}},
           {"/api/runs", {}},
           {"/api/run", {{"run", "1"}}},
           {"/api/history", {{"run", "1"}, {"points", "2"}}},
           {"/api/compare", {{"before", "1"}, {"after", "1"}}},
           {"/api/letters", {{"run", "1"}}},
           {"/api/letter", {{"id", "1"}}},
           {"/api/replays", {}}}) {
    const Answer answer = get(path, query);
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    EXPECT_EQ(answer.type, "application/json");
    EXPECT_TRUE(plan::parse_json(answer.body).complete) << path << ":\n" << answer.body;
  }
  EXPECT_THAT(get("/api/history", {{"run", "1"}, {"points", "2"}}).body, HasSubstr("\"step_s\": 120"));
  EXPECT_THAT(get("/api/history", {{"run", "1"}, {"points", "2"}}).body, HasSubstr("\"items\": [240,160]"));
  EXPECT_THAT(get("/api/letter", {{"id", "1"}}).body, HasSubstr("\"hex\": \"013c623e\""));
  const Answer bytes = get("/api/letter/bytes", {{"id", "1"}});
  EXPECT_EQ(bytes.body, "\x01<b>");
  EXPECT_EQ(bytes.type, "application/octet-stream");
  EXPECT_THAT(get("/metrics").body, HasSubstr("pystream_dead_letters_kept{pipeline=\"<script>\"} 1\n"));
}

TEST_F(ServiceTest, OddQuestionsAreRefused) {
  write_run();
  for (const char* run : {"", "x", "-1", "99", "1e3", "0x1", "99999999999999999999"}) {
    EXPECT_EQ(get("/api/run", {{"run", run}}).status, 404) << run;
  }
  EXPECT_EQ(get("/api/letter", {{"id", "99"}}).status, 404);
  EXPECT_EQ(get("/api/pipeline", {{"pid", "1"}}).status, 404);
  EXPECT_EQ(get("/api/history", {{"run", "1"}, {"points", "-5"}, {"from", "-9"}}).status, 200);
  EXPECT_EQ(get("/api/stop").status, 405);
  EXPECT_EQ(post("/api/runs").status, 405);
  EXPECT_EQ(post("/").status, 404);
}

TEST_F(ServiceTest, ControlsOnlyWhatIsThere) {
  write_run();
  EXPECT_EQ(post("/api/stop").status, 404);
  EXPECT_EQ(post("/api/stop", {{"pid", "1"}}).status, 404) << "no coordinator of this user";
  EXPECT_EQ(post("/api/replay").status, 400);
  EXPECT_EQ(post("/api/replay", {{"letters", "1,x"}}).status, 400);
  EXPECT_EQ(post("/api/replay", {{"letters", "99"}}).status, 404);
  access_.allow_control = false;
  service_.reset();
  EXPECT_EQ(post("/api/replay", {{"letters", "1"}}).status, 403);
}

TEST_F(ServiceTest, AReplayTellsHowItEnded) {
  write_run();
  EXPECT_EQ(post("/api/replay", {{"letters", "1"}}).status, 202);
  std::string body;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  do {
    body = get("/api/replays").body;
  } while (body.find("\"running\": false") == std::string::npos && std::chrono::steady_clock::now() < end);
  EXPECT_THAT(body, HasSubstr("\"running\": false, \"code\": 1")) << "there is no such program";
}

}  // namespace
}  // namespace pystream::serve
