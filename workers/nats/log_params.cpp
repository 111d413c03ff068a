#include "nats/log_params.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <utility>

#include "nats/log_error.hpp"
#include "nats/server_info.hpp"

namespace pystream::nats {
namespace {

ParamSpec text(const char* name, const char* what) {
  return {.name = name, .type = ParamType::string, .fallback = "", .text = what};
}
ParamSpec file(const char* name, const char* what) {
  return {.name = name, .type = ParamType::string, .fallback = "", .text = what, .file = FileUse::reads};
}

template <class Ask>
auto ask_until_answered(Patience& patience, const Ask& ask) {
  for (unsigned attempt = 1;; ++attempt) {
    try {
      auto answer = ask();
      if (attempt > 1) {
        patience.note_success();
      }
      return answer;
    } catch (const LogUnreachable& fault) {
      patience.wait(attempt, fault.what());
    }
  }
}

}  // namespace

std::vector<ParamSpec> log_params() {
  return {
      {.name = "log", .type = ParamType::string, .text = "the servers: nats://HOST[:PORT][,HOST[:PORT]]…"},
      {.name = "stream", .type = ParamType::string, .text = "name of the stream; it is made if it is not there"},
      {.name = "replicas",
       .type = ParamType::integer,
       .fallback = 1,
       .text = "servers that hold the stream, where it is made",
       .min = 1,
       .max = 5},
      {.name = "capacity",
       .type = ParamType::size,
       .fallback = std::int64_t{1} << 30,
       .text = "bytes that the stream may hold, where it is made; a full one blocks its writers; 0: no limit",
       .min = 0,
       .max = 1e15},
      file("credentials", "a file with the credentials of NATS"),
      file("tls_ca", "a file with the certificates of authorities that servers are checked against"),
      file("tls_cert", "a file with this client's own certificate"),
      file("tls_key", "a file with its key"),
      text("item_type", "what the items are; parts that differ in it are refused"),
      text("plan_hash", "which plan the part is of; parts that differ in it are refused"),
      text("part", "name of the part, as run --host gives it; without one, a run that is drained leaves no end mark")};
}

void require_stream_name(const std::string& type, const std::string& name) {
  const bool legal = !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!legal) {
    throw InvalidParam(type + ": \"" + name + "\" cannot be the name of a stream; expected letters, digits, _ and -");
  }
}

LogSettings log_settings(const std::string& type, const Params& params) {
  split_urls(params.string("log"));
  require_stream_name(type, params.string("stream"));
  if (params.string("tls_cert").empty() != params.string("tls_key").empty()) {
    throw InvalidParam(type + ": one of \"tls_cert\" and \"tls_key\" is given; expected both or none");
  }
  return {.server = {.urls = params.string("log"),
                     .credentials = params.string("credentials"),
                     .tls_ca = params.string("tls_ca"),
                     .tls_cert = params.string("tls_cert"),
                     .tls_key = params.string("tls_key")},
          .stream = {.name = params.string("stream"),
                     .replicas = static_cast<int>(params.integer("replicas")),
                     .capacity = static_cast<std::int64_t>(params.bytes("capacity"))},
          .identity = {.item_type = params.string("item_type"), .plan_hash = params.string("plan_hash")},
          .part = params.string("part")};
}

std::unique_ptr<NatsConnection> connect(const ServerSettings& server, Patience& patience) {
  return ask_until_answered(patience, [&] { return std::make_unique<NatsConnection>(server); });
}

std::unique_ptr<Log> open(NatsConnection& connection, const StreamSettings& stream, Patience& patience) {
  return ask_until_answered(patience, [&] { return connection.open(stream); });
}

}  // namespace pystream::nats
