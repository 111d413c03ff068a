#include "nats/nats_log.hpp"

#include <gtest/gtest.h>

#include <pystream/error.hpp>

#include "nats/log_error.hpp"
#include "nats/log_reader.hpp"
#include "nats/log_writer.hpp"
#include "nats_server.hpp"

namespace pystream::test {
namespace {

using nats::Appended;
using nats::LogReader;
using nats::LogWriter;
using std::chrono::milliseconds;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Waits shortly, whatever for.
class ShortPatience final : public nats::Patience {
 public:
  void wait(unsigned, const std::string&) override { std::this_thread::sleep_for(milliseconds(20)); }
  void note_success() override {}
};

class NatsLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (nats_server_program().empty()) {
      GTEST_SKIP() << "there is no nats-server; scripts/setup.sh nats gets one";
    }
    server_.emplace();
    connection_ = std::make_unique<nats::NatsConnection>(nats::ServerSettings{.urls = server_->url()});
  }
  std::unique_ptr<nats::Log> open(const std::string& name, std::int64_t capacity = 0) {
    return connection_->open({.name = name, .capacity = capacity});
  }
  std::optional<NatsServer> server_;
  std::unique_ptr<nats::NatsConnection> connection_;
  ShortPatience patience_;
};

TEST_F(NatsLogTest, AppendsOnlyBehindTheExpectedParcel) {
  const auto log = open("s");
  EXPECT_EQ(log->last().number, 0U);
  EXPECT_EQ(log->append(0, bytes_of("one")), Appended::done);
  // An expected number of 0 is no "any number".
  EXPECT_EQ(log->append(0, bytes_of("twice")), Appended::refused);
  EXPECT_EQ(log->append(5, bytes_of("far")), Appended::refused);
  EXPECT_EQ(log->append(1, bytes_of("two")), Appended::done);
  EXPECT_EQ(log->last().number, 2U);
  EXPECT_EQ(text_of(log->last().parcel), "two");
}

TEST_F(NatsLogTest, ReadsFromAnyNumberAndWaitsForMore) {
  const auto log = open("s");
  const auto other = open("s");
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(log->append(i, bytes_of("p" + std::to_string(i + 1))), Appended::done);
  }
  for (std::uint64_t from : {3, 4, 5, 2}) {
    const auto entry = other->read(from, milliseconds(5000));
    ASSERT_TRUE(entry.has_value()) << from;
    EXPECT_EQ(entry->number, from);
    EXPECT_EQ(text_of(entry->parcel), "p" + std::to_string(from));
    EXPECT_EQ(other->read(from, milliseconds(0))->number, from);
  }
  EXPECT_FALSE(other->read(6, milliseconds(0)).has_value());
  EXPECT_FALSE(other->read(6, milliseconds(10)).has_value());
  ASSERT_EQ(log->append(5, bytes_of("p6")), Appended::done);
  EXPECT_EQ(other->read(6, milliseconds(5000))->number, 6U);
}

TEST_F(NatsLogTest, ReleaseKeepsWhatFollowsAndItsNumbers) {
  const auto log = open("s");
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(log->append(i, bytes_of("x")), Appended::done);
  }
  log->release(3);
  EXPECT_EQ(log->read(1, milliseconds(0))->number, 4U);
  EXPECT_EQ(log->read(1, milliseconds(5000))->number, 4U);
  EXPECT_EQ(log->last().number, 5U);
  EXPECT_EQ(log->append(5, bytes_of("y")), Appended::done);
}

TEST_F(NatsLogTest, ALogWithoutItsLastParcelIsNoNewOne) {
  const auto log = open("s");
  ASSERT_EQ(log->append(0, bytes_of("x")), Appended::done);
  log->release(1);
  EXPECT_EQ(log->last().number, 1U);
  EXPECT_TRUE(log->last().parcel.empty());
  LogWriter writer(*log, patience_, {});
  EXPECT_THROW(writer.start({}, false), nats::LogUnusable);
}

TEST_F(NatsLogTest, AFullLogTakesMoreOnceSomeIsReleased) {
  const auto log = open("s", 100'000);
  const std::string parcel(20'000, 'x');
  std::uint64_t number = 0;
  Appended appended = Appended::done;
  while ((appended = log->append(number, bytes_of(parcel))) == Appended::done) {
    ASSERT_LT(++number, 20U);
  }
  EXPECT_EQ(appended, Appended::full);
  EXPECT_EQ(log->last().number, number);
  log->release(2);
  EXPECT_EQ(log->append(number, bytes_of(parcel)), Appended::done);
}

TEST_F(NatsLogTest, AServerThatIsKilledKeepsWhatItAcknowledged) {
  const auto log = open("s");
  const auto other = open("s");
  LogWriter writer(*log, patience_, {});
  LogReader reader(*other, nullptr, patience_, {});
  writer.start({}, false);
  reader.start({});
  std::uint64_t next = 0;
  std::uint64_t read = 0;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i, ++next) {
      writer.add({.sequence = next, .bytes = bytes_of("item " + std::to_string(next))});
      if (i % 7 == 0) {
        writer.flush();
      }
    }
    server_->kill();
    std::thread restart([&] {
      std::this_thread::sleep_for(milliseconds(300));
      server_->start();
    });
    writer.flush();  // waits for the server
    restart.join();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (read < next && std::chrono::steady_clock::now() < deadline) {
      nats::ParcelItem item;
      if (reader.next(item, milliseconds(50)) == LogReader::Got::item) {
        ASSERT_EQ(text_of(item.bytes), "item " + std::to_string(read++));
      }
    }
    ASSERT_EQ(read, next) << "round " << round;
  }
}

TEST_F(NatsLogTest, AStreamThatIsDeletedIsAnError) {
  const auto log = open("s");
  LogWriter writer(*log, patience_, {});
  writer.start({}, false);
  server_->kill();
  std::filesystem::remove_all(server_->folder() / "store");
  server_->start();
  writer.add({.sequence = 0, .bytes = bytes_of("x")});
  try {
    writer.flush();
    FAIL();
  } catch (const nats::LogUnusable& fault) {
    EXPECT_NE(std::string(fault.what()).find("somebody deleted it"), std::string::npos) << fault.what();
  }
}

TEST_F(NatsLogTest, AParcelAboveTheServersLimitIsAnError) {
  const auto log = open("s");
  const std::string large(static_cast<std::size_t>(connection_->largest_message()) + 1, 'x');
  try {
    (void)log->append(0, bytes_of(large));
    FAIL();
  } catch (const nats::LogUnreachable& fault) {
    FAIL() << fault.what();
  } catch (const Error& fault) {
    EXPECT_NE(std::string(fault.what()).find("max_payload"), std::string::npos) << fault.what();
  }
}

TEST(NatsServerTest, ServersThatHaveLostDataAreRefused) {
  const auto message = [](const std::string& version, const std::string& cluster) {
    try {
      nats::require_reliable({.version = version, .cluster = cluster}, "nats://n1");
    } catch (const Error& fault) {
      return std::string(fault.what());
    }
    return std::string();
  };
  EXPECT_EQ(message("2.10.27", ""), "");
  EXPECT_EQ(message("2.15.0", "c"), "");
  EXPECT_EQ(message("3.0.0-beta.1", "c"), "");
  const std::string old = message("2.9.10", "");
  EXPECT_NE(old.find("version 2.9.10; "), std::string::npos) << old;
  EXPECT_NE(old.find("2.10.27 alone, and 2.15.0 in a cluster"), std::string::npos) << old;
  EXPECT_NE(message("2.10.27", "c").find("in a cluster"), std::string::npos);
  EXPECT_NE(message("what", ""), "");
}

TEST(NatsServerTest, TheGreetingIsRead) {
  const auto info = nats::parse_greeting(R"(INFO {"server_id":"N","version":"2.10.27","cluster":"east"})");
  EXPECT_EQ(info.version, "2.10.27");
  EXPECT_EQ(info.cluster, "east");
  EXPECT_EQ(nats::parse_greeting("HTTP/1.1 400").version, "");
  EXPECT_EQ(nats::parse_greeting(R"(INFO {"version":"2.1)").version, "");
}

TEST(NatsServerTest, UrlsAreSplit) {
  EXPECT_EQ(nats::split_urls("nats://a,b:4223"), (std::vector<std::string>{"nats://a", "nats://b:4223"}));
  EXPECT_EQ(nats::split_urls("tls://a"), (std::vector<std::string>{"tls://a"}));
  for (const char* wrong : {"", "a", "http://a", "nats://", "nats://a,,b", "nats://a/b"}) {
    EXPECT_THROW(nats::split_urls(wrong), InvalidParam) << wrong;
  }
}

TEST(NatsServerTest, NobodyThereIsWorthWaitingFor) {
  EXPECT_THROW(nats::NatsConnection({.urls = "nats://127.0.0.1:1"}), nats::LogUnreachable);
}

}  // namespace
}  // namespace pystream::test
