#pragma once

#include <memory>
#include <pystream/params.hpp>
#include <string>
#include <vector>

#include "nats/nats_log.hpp"
#include "nats/parcel.hpp"
#include "nats/patience.hpp"

namespace pystream::nats {

/// What nats.source and nats.sink have in common in a plan.
std::vector<ParamSpec> log_params();

struct LogSettings {
  ServerSettings server;
  StreamSettings stream;
  Identity identity;
  std::string part;
};

/// Throws InvalidParam.
LogSettings log_settings(const std::string& type, const Params& params);

/// Throws InvalidParam if this cannot be the name of a stream.
void require_stream_name(const std::string& type, const std::string& name);

/// Connects, and waits while no server is there.
std::unique_ptr<NatsConnection> connect(const ServerSettings& server, Patience& patience);
std::unique_ptr<Log> open(NatsConnection& connection, const StreamSettings& stream, Patience& patience);

}  // namespace pystream::nats
