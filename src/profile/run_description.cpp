#include "profile/run_description.hpp"

#include "profile/home.hpp"
#include "profile/wire.hpp"

namespace pystream::profile {
namespace {

void put(base::Encoder& out, const KeyDescription& key) {
  out.put(key.key).put(static_cast<std::uint8_t>(key.role)).put(key.worker).put(key.index).put(key.first).put(key.last);
  out.put(key.before.value_or(KeyDescription::kDerived));
}

KeyDescription get_key(base::Decoder& in) {
  KeyDescription key;
  key.key = in.get<std::string>();
  key.role = static_cast<KeyRole>(in.get<std::uint8_t>());
  key.worker = in.get<std::uint32_t>();
  key.index = in.get<std::uint32_t>();
  key.first = in.get<std::uint32_t>();
  key.last = in.get<std::uint32_t>();
  const auto before = in.get<std::uint32_t>();
  key.before = before == KeyDescription::kDerived ? std::nullopt : std::optional(before);
  return key;
}

}  // namespace

std::string_view to_string(KeyRole role) {
  switch (role) {
    case KeyRole::source:
      return "source";
    case KeyRole::stage:
      return "stage";
    case KeyRole::sink:
      return "sink";
    case KeyRole::pipeline:
      break;
  }
  return "pipeline";
}

std::string encode(const RunDescription& description) {
  base::Encoder out;
  out.put(description.database.native()).put(description.name).put(description.plan).put(description.version);
  out.put(description.coordinator_pid).put(description.started).put(description.start_ns);
  out.put(description.retention.max_history).put(description.retention.rows_per_second);
  out.put(description.retention.runs).put(description.retention.bytes);
  out.put(description.keys.size());
  for (const KeyDescription& key : description.keys) {
    put(out, key);
  }
  out.put(description.workers.size());
  for (const WorkerDescription& worker : description.workers) {
    out.put(worker.name).put(worker.external).put(worker.opens_database).put(worker.output_links.size());
    for (const std::uint32_t link : worker.output_links) {
      out.put(link);
    }
  }
  out.put(description.links.size());
  for (const LinkDescription& link : description.links) {
    out.put(link.name).put(link.producer).put(link.consumer).put(link.overflow).put(link.capacity_bytes);
  }
  return out.bytes();
}

RunDescription decode_run_description(std::string_view bytes) {
  base::Decoder in(bytes);
  RunDescription description;
  description.database = in.get<std::string>();
  description.name = in.get<std::string>();
  description.plan = in.get<std::string>();
  description.version = in.get<std::string>();
  description.coordinator_pid = in.get<std::uint64_t>();
  description.started = in.get<double>();
  description.start_ns = in.get<std::int64_t>();
  description.retention.max_history = in.get<std::uint64_t>();
  description.retention.rows_per_second = in.get<std::uint64_t>();
  description.retention.runs = in.get<std::uint64_t>();
  description.retention.bytes = in.get<std::uint64_t>();
  for (auto left = in.get<std::size_t>(); left > 0; --left) {
    description.keys.push_back(get_key(in));
  }
  for (auto left = in.get<std::size_t>(); left > 0; --left) {
    WorkerDescription& worker = description.workers.emplace_back();
    worker.name = in.get<std::string>();
    worker.external = in.get<bool>();
    worker.opens_database = in.get<bool>();
    for (auto links = in.get<std::size_t>(); links > 0; --links) {
      worker.output_links.push_back(in.get<std::uint32_t>());
    }
  }
  for (auto left = in.get<std::size_t>(); left > 0; --left) {
    LinkDescription& link = description.links.emplace_back();
    link.name = in.get<std::string>();
    link.producer = in.get<std::uint32_t>();
    link.consumer = in.get<std::uint32_t>();
    link.overflow = in.get<std::string>();
    link.capacity_bytes = in.get<std::uint64_t>();
  }
  return description;
}

std::filesystem::path profiler_folder(const std::filesystem::path& folder) {
  return folder.empty() ? usual_profiler_folder() : folder;
}

std::filesystem::path database_in(const std::filesystem::path& folder) {
  return folder / "last_profiles.sqlite";
}

std::vector<std::filesystem::path> database_files_in(const std::filesystem::path& folder) {
  const std::string name = database_in(folder).string();
  return {name, name + "-wal", name + "-shm"};
}

}  // namespace pystream::profile
