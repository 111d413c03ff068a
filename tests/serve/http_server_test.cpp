#include "serve/http_server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <pystream/error.hpp>
#include <thread>

#include "base/unique_fd.hpp"

namespace pystream::serve {
namespace {

using testing::HasSubstr;

Answer echo(const Request& request) {
  if (request.path == "/throw") {
    throw Error("no such luck");
  }
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) {
    text += " " + name + "=" + value;
  }
  return {.type = "text/plain", .body = text};
}

std::string ask(const std::string& lines) {
  HttpServer server(echo);
  return server.answer_to(lines);
}

TEST(HttpServerTest, AnswersRequests) {
  EXPECT_THAT(ask("GET /a%20b?x=1&y=a%26b HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("GET /a b x=1 y=a&b"));
  EXPECT_THAT(ask("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("HTTP/1.1 500"));
  EXPECT_THAT(ask("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("no such luck"));
  EXPECT_THAT(ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), testing::Not(HasSubstr("HEAD /")));
}

TEST(HttpServerTest, SendsPlainBytes) {
  const std::string answer = ask("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, br\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nGET /"));
}

TEST(HttpServerTest, GivesEachByteOnce) {
  std::string ranges = "bytes=0-";
  for (int i = 0; i < 500; ++i) {
    ranges += ",0-";
  }
  const std::string answer = ask("GET /abc HTTP/1.1\r\nHost: h\r\nRange: " + ranges + "\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nGET /abc"));
  EXPECT_LT(answer.size(), 1'000U);
}

TEST(HttpServerTest, RefusesWhatIsNoRequest) {
  for (const char* bytes :
       {"", "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost"}) {
    EXPECT_THAT(ask(bytes), testing::Not(HasSubstr("200"))) << bytes;
  }
}

TEST(HttpServerTest, ReadsOnlySoMuch) {
  const std::string many(1 << 20, 'a');
  EXPECT_THAT(ask("GET /" + many + " HTTP/1.1\r\nHost: h\r\n\r\n"), testing::Not(HasSubstr("200")));
  std::string headers;
  for (int i = 0; i < 20'000; ++i) {
    headers += "X-" + std::to_string(i) + ": y\r\n";
  }
  EXPECT_THAT(ask("GET / HTTP/1.1\r\n" + headers + "\r\n"), testing::Not(HasSubstr("200")));
}

/// A server that runs, and connections to it.
class RunningServer : public testing::Test {
 protected:
  RunningServer() {
    server_.listen({.port = 0});
    thread_ = std::thread([this] { server_.run(); });
  }
  ~RunningServer() override {
    server_.stop();
    thread_.join();
  }
  base::UniqueFd connect() const {
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void send(const base::UniqueFd& fd, const std::string& text) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// All until the other side closes.
  static std::string receive(const base::UniqueFd& fd) {
    std::string all;
    std::array<char, 4096> part{};
    while (true) {
      pollfd watched{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&watched, 1, 60'000) <= 0) {
        ADD_FAILURE() << "the server does not close the connection";
        return all;
      }
      const ssize_t got = ::recv(fd.get(), part.data(), part.size(), 0);
      if (got <= 0) {
        return all;
      }
      all.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  HttpServer server_{echo};
  std::thread thread_;
};

constexpr const char* kRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(RunningServer, ClosesEachConnectionAfterItsAnswer) {
  const base::UniqueFd fd = connect();
  send(fd, kRequest);
  EXPECT_THAT(receive(fd), HasSubstr("GET /"));
}

TEST_F(RunningServer, SlowConnectionsDoNotHoldItUpForEver) {
  std::vector<base::UniqueFd> slow;
  for (int i = 0; i < 12; ++i) {
    slow.push_back(connect());
    send(slow.back(), "GET / HT");
  }
  const base::UniqueFd fd = connect();
  send(fd, kRequest);
  EXPECT_THAT(receive(fd), HasSubstr("GET /"));
  for (const base::UniqueFd& one : slow) {
    EXPECT_THAT(receive(one), testing::Not(HasSubstr("200")));
  }
}

TEST_F(RunningServer, AByteNowAndThenDoesNotKeepAConnection) {
  const base::UniqueFd fd = connect();
  send(fd, "GET / HTTP/1.1\r\n");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  pollfd watched{.fd = fd.get(), .events = POLLIN, .revents = 0};
  while (::poll(&watched, 1, 200) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the server waits for each byte anew";
    ::send(fd.get(), "X", 1, MSG_NOSIGNAL);
  }
}

TEST_F(RunningServer, MoreConnectionsThanItKeepsAreClosed) {
  std::vector<base::UniqueFd> many;
  for (int i = 0; i < 300; ++i) {
    many.push_back(connect());
  }
  int closed = 0;
  for (const base::UniqueFd& fd : many) {
    pollfd watched{.fd = fd.get(), .events = POLLIN, .revents = 0};
    closed += ::poll(&watched, 1, &fd == &many.front() ? 20'000 : 0) > 0 ? 1 : 0;
  }
  EXPECT_GT(closed, 100);
  many.clear();
  const base::UniqueFd fd = connect();
  send(fd, kRequest);
  EXPECT_THAT(receive(fd), HasSubstr("GET /"));
}

TEST(HttpServerTest, SaysWhyItCannotListen) {
  HttpServer first(echo);
  first.listen({.port = 0});
  HttpServer second(echo);
  EXPECT_THROW(second.listen({.port = first.port()}), Error);
  EXPECT_THROW(second.listen({.address = "no.such.host.invalid", .port = 0}), Error);
  EXPECT_THROW(second.listen({.port = 0, .certificate = "/nonexistent", .key = "/nonexistent"}), Error);
}

TEST(HttpServerTest, StopsBeforeItRuns) {
  HttpServer server(echo);
  server.listen({.port = 0});
  server.stop();
  server.run();
}

}  // namespace
}  // namespace pystream::serve
