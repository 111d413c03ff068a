#include "coord/service_manager.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "support/temp_folder.hpp"

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

/// A socket as systemd has one.
class Manager {
 public:
  /// `name`: a path, or an abstract name behind '@'.
  explicit Manager(std::string name) : name_(std::move(name)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    if (name_.front() == '@') {
      address.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << std::strerror(errno);
  }
  const std::string& name() const { return name_; }
  /// What has come.
  std::vector<std::string> messages() {
    std::vector<std::string> all;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) >= 0;) {
      all.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  std::string name_;
  base::UniqueFd fd_;
};

struct ServiceManagerTest : testing::Test {
  ServiceManager manager(ServiceVariables variables) {
    return {variables, 7, [this](const std::string& text) { warnings.push_back(text); }};
  }
  const test::TempFolder folder;
  Manager systemd{(folder.path() / "notify").string()};
  std::vector<std::string> warnings;
};

TEST_F(ServiceManagerTest, TellsHowARunIsGoing) {
  ServiceManager told = manager({.socket = systemd.name()});
  told.ready("running 3 workers");
  told.status("10 items", 1s);
  told.stopping("draining");
  EXPECT_EQ(systemd.messages(), (std::vector<std::string>{"READY=1\nSTATUS=running 3 workers", "STATUS=10 items",
                                                          "STOPPING=1\nSTATUS=draining"}));
  EXPECT_TRUE(warnings.empty());
}

TEST_F(ServiceManagerTest, ReachesAnAbstractSocket) {
  Manager abstract("@pystream-test-" + std::to_string(::getpid()));
  manager({.socket = abstract.name()}).ready("");
  EXPECT_EQ(abstract.messages(), (std::vector<std::string>{"READY=1\nSTATUS="}));
}

TEST_F(ServiceManagerTest, AStatusIsOneLineAndSentWhenItChangesNotTooOften) {
  ServiceManager told = manager({.socket = systemd.name()});
  told.status("a\nREADY=1\xff", 0s);
  told.status("b", 4s);
  told.status("b", 5s);
  told.status("b", 20s);
  EXPECT_EQ(systemd.messages(), (std::vector<std::string>{"STATUS=a\\nREADY=1\\xff", "STATUS=b"}));
}

TEST_F(ServiceManagerTest, TheWatchdogHearsOfHalfItsTime) {
  ServiceManager told = manager({.socket = systemd.name(), .watchdog_usec = "8000000", .watchdog_pid = "7"});
  ASSERT_EQ(told.alive_period(), 1s);
  std::vector<std::chrono::nanoseconds> sent;
  for (std::chrono::nanoseconds now = 0s; now <= 12s; now += 1s) {
    told.alive(now);
    if (!systemd.messages().empty()) {
      sent.push_back(now);
    }
  }
  EXPECT_EQ(sent, (std::vector<std::chrono::nanoseconds>{0s, 3s, 6s, 9s, 12s}));
}

TEST_F(ServiceManagerTest, AnotherProcessIsWatchedOrNone) {
  for (const ServiceVariables& variables :
       {ServiceVariables{.socket = systemd.name(), .watchdog_usec = "8000000", .watchdog_pid = "8"},
        ServiceVariables{.socket = systemd.name()}}) {
    ServiceManager told = manager(variables);
    EXPECT_EQ(told.alive_period(), std::nullopt);
    told.alive(0s);
  }
  EXPECT_TRUE(systemd.messages().empty());
  EXPECT_TRUE(warnings.empty());
}

TEST_F(ServiceManagerTest, WithoutAManagerNothingHappens) {
  ServiceManager told = manager({});
  told.ready("");
  told.alive(0s);
  EXPECT_TRUE(warnings.empty());
}

TEST_F(ServiceManagerTest, SaysOnceThatItCannotBeReached) {
  ServiceManager told = manager({.socket = (folder.path() / "gone").string(), .watchdog_usec = "8000000"});
  told.ready("");
  told.stopping("");
  ASSERT_EQ(warnings.size(), 1);
  EXPECT_NE(warnings[0].find("gone: No such file or directory"), std::string::npos) << warnings[0];
  EXPECT_EQ(told.alive_period(), std::nullopt);
}

TEST_F(ServiceManagerTest, RefusesVariablesThatItDoesNotKnow) {
  manager({.socket = "vsock:2:1234"}).ready("");
  EXPECT_EQ(manager({.socket = systemd.name(), .watchdog_usec = "1s"}).alive_period(), std::nullopt);
  manager({.socket = "/" + std::string(200, 'x')}).ready("");
  ASSERT_EQ(warnings.size(), 3);
  EXPECT_NE(warnings[0].find("expected a path or an abstract name"), std::string::npos) << warnings[0];
  EXPECT_NE(warnings[1].find("WATCHDOG_USEC is \"1s\""), std::string::npos) << warnings[1];
}

/// A manager that is behind must not hold up a run, and must still learn that it is ready.
TEST_F(ServiceManagerTest, DoesNotWaitAndRepeatsWhatMatters) {
  ServiceManager told = manager({.socket = systemd.name()});
  for (int i = 0; i < 10'000; ++i) {
    told.status("status " + std::to_string(i), i * 10s);
  }
  told.ready("running");
  systemd.messages();
  told.status("later", 1'000'000s);
  EXPECT_EQ(systemd.messages(), (std::vector<std::string>{"READY=1\nSTATUS=running\nSTATUS=later"}));
  EXPECT_TRUE(warnings.empty());
}

TEST(ServiceVariablesTest, AreTakenOutOfTheEnvironment) {
  ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
  ::setenv("WATCHDOG_USEC", "5", 1);
  ::setenv("WATCHDOG_PID", "6", 1);
  const ServiceVariables taken = ServiceVariables::take();
  EXPECT_EQ(taken.socket + taken.watchdog_usec + taken.watchdog_pid, "/run/notify56");
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
}

}  // namespace
}  // namespace pystream::coord
