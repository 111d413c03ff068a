#include "serve/access.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace pystream::serve {
namespace {

class AccessTest : public testing::Test {
 protected:
  static Request ask(const std::string& method, std::vector<std::pair<std::string, std::string>> headers) {
    return {.method = method, .path = "/api/runs", .query = {}, .headers = std::move(headers)};
  }
  int status_of(const Request& request, bool has_data = true) const {
    const auto answer = refusal(access_, request, has_data);
    return answer ? answer->status : 200;
  }
  /// As a browser on the page asks for control.
  std::vector<std::pair<std::string, std::string>> right() const {
    return {{"Host", "127.0.0.1:8080"},
            {"Origin", "http://127.0.0.1:8080"},
            {"Sec-Fetch-Site", "same-origin"},
            {"Authorization", "Bearer " + access_.token}};
  }
  /// The same with another value of one header; "" leaves it out.
  std::vector<std::pair<std::string, std::string>> with(const std::string& name, const std::string& value) const {
    auto headers = right();
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
    if (!value.empty()) {
      headers.emplace_back(name, value);
    }
    return headers;
  }
  Access access_{.hosts = allowed_hosts("127.0.0.1", 8080, {}),
                 .schemes = {"http"},
                 .token = random_token(),
                 .allow_control = true};
};

TEST_F(AccessTest, AnswersThePage) {
  EXPECT_EQ(status_of(ask("GET", right())), 200);
  EXPECT_EQ(status_of(ask("HEAD", right())), 200);
  EXPECT_EQ(status_of(ask("POST", right())), 200);
  EXPECT_EQ(status_of(ask("GET", {{"host", "localhost:8080"}})), 200) << "Prometheus sends nothing else";
  EXPECT_EQ(status_of(ask("GET", {{"Host", "[::1]:8080"}})), 200);
}

TEST_F(AccessTest, RefusesOtherNames) {
  for (const char* host :
       {"evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8080.evil.example", "", " "}) {
    EXPECT_EQ(status_of(ask("GET", with("Host", host))), 421) << host;
    EXPECT_EQ(status_of(ask("POST", with("Host", host))), 421) << host;
  }
  auto twice = right();
  twice.emplace_back("Host", "127.0.0.1:8080");
  EXPECT_EQ(status_of(ask("GET", twice)), 421);
}

TEST_F(AccessTest, RefusesPagesOfOtherOrigins) {
  for (const char* origin : {"http://evil.example", "https://127.0.0.1:8080", "http://127.0.0.1:8081", "null",
                             "127.0.0.1:8080", "http://127.0.0.1:8080/", "http://127.0.0.1:8080.evil.example"}) {
    EXPECT_EQ(status_of(ask("GET", with("Origin", origin))), 403) << origin;
    EXPECT_EQ(status_of(ask("POST", with("Origin", origin))), 403) << origin;
  }
  for (const char* site : {"cross-site", "same-site", "anything"}) {
    EXPECT_EQ(status_of(ask("GET", with("Sec-Fetch-Site", site))), 403) << site;
  }
  auto twice = right();
  twice.emplace_back("Origin", "http://evil.example");
  EXPECT_EQ(status_of(ask("POST", twice)), 403);
}

TEST_F(AccessTest, ControlNeedsOriginAndToken) {
  EXPECT_EQ(status_of(ask("POST", with("Origin", ""))), 403);
  EXPECT_EQ(status_of(ask("POST", with("Authorization", ""))), 401);
  std::string wrong = access_.token;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  for (const std::string& given : {wrong, access_.token + "0", access_.token.substr(1), std::string("")}) {
    EXPECT_EQ(status_of(ask("POST", with("Authorization", "Bearer " + given))), 401) << given;
  }
  EXPECT_EQ(status_of(ask("POST", with("Authorization", "Basic " + access_.token))), 401);
  access_.allow_control = false;
  EXPECT_EQ(status_of(ask("POST", right())), 403);
}

TEST_F(AccessTest, OtherMethodsAreRefused) {
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", ""}) {
    EXPECT_EQ(status_of(ask(method, right())), 405) << method;
  }
}

TEST_F(AccessTest, ReadingNeedsTheTokenWhereItIsSaidTo) {
  const auto bare = with("Authorization", "");
  EXPECT_EQ(status_of(ask("GET", bare)), 200);
  access_.token_for_reading = true;
  EXPECT_EQ(status_of(ask("GET", bare)), 401);
  EXPECT_EQ(status_of(ask("GET", bare), false), 200) << "the page itself holds no figures";
  EXPECT_EQ(status_of(ask("GET", right())), 200);
}

TEST_F(AccessTest, NobodyHasAnEmptyToken) {
  EXPECT_FALSE(is_token("", ""));
  access_.token.clear();
  EXPECT_EQ(status_of(ask("POST", with("Authorization", "Bearer "))), 401);
}

TEST(AllowedHosts, AreThoseThatAreNamed) {
  EXPECT_EQ(allowed_hosts("0.0.0.0", 8443, {"pipelines.example.org"}),
            (std::vector<std::string>{"pipelines.example.org", "pipelines.example.org:8443"}));
  EXPECT_TRUE(allowed_hosts("0.0.0.0", 8443, {}).empty());
  const auto loopback = allowed_hosts("::1", 80, {});
  EXPECT_NE(std::ranges::find(loopback, "[::1]:80"), loopback.end());
  EXPECT_TRUE(is_loopback("127.0.0.2"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("::"));
  EXPECT_FALSE(is_loopback("192.0.2.1"));
}

TEST(RandomToken, IsAnotherOneEachTime) {
  EXPECT_EQ(random_token().size(), 64U);
  EXPECT_NE(random_token(), random_token());
}

}  // namespace
}  // namespace pystream::serve
