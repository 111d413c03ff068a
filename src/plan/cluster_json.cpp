#include "plan/cluster_json.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "plan/json.hpp"
#include "plan/object_reader.hpp"
#include "plan/plan_keys.hpp"

namespace pystream::plan {
namespace {

constexpr std::string_view kScheme = "nats://";

bool is_address(std::string_view log) {
  return log.starts_with(kScheme) && log.size() > kScheme.size() &&
         std::ranges::all_of(log, [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

TlsFiles read_tls(const ParamValue& value, std::string where, std::vector<PlanFault>& faults) {
  const ObjectReader reader(value, std::move(where), tls_keys(), faults);
  TlsFiles tls;
  reader.read("ca", tls.ca);
  reader.read("cert", tls.cert);
  reader.read("key", tls.key);
  if (tls.cert.empty() != tls.key.empty()) {
    reader.add_fault({.where = reader.at(tls.cert.empty() ? "key" : "cert"),
                      .found = tls.cert.empty() ? "\"key\" without \"cert\"" : "\"cert\" without \"key\"",
                      .expected = "both, or none of them",
                      .hint = {}});
  }
  return tls;
}

std::vector<std::string> read_moves(const ObjectReader& reader) {
  std::vector<std::string> hosts;
  const ParamList* list = reader.list("moves");
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    if (const auto* host = std::get_if<std::string>(&(*list)[i])) {
      hosts.push_back(*host);
    } else {
      reader.add_fault({pointer_to(reader.at("moves"), i), describe((*list)[i]), "the name of a host", {}});
    }
  }
  return hosts;
}

ParamMap tls_value(const TlsFiles& tls) {
  ParamMap out;
  for (const auto& [key, file] : {std::pair("ca", &tls.ca), std::pair("cert", &tls.cert), std::pair("key", &tls.key)}) {
    if (!file->empty()) {
      out.emplace_back(key, ParamValue(*file));
    }
  }
  return out;
}

}  // namespace

Cluster read_cluster(const ParamValue& value, const std::string& where, std::vector<PlanFault>& faults) {
  const ObjectReader reader(value, where, cluster_keys(), faults);
  Cluster cluster;
  reader.read("log", cluster.log);
  const ParamValue* log = reader.find("log");
  if (log != nullptr && std::holds_alternative<std::string>(*log) && !is_address(cluster.log)) {
    reader.add_fault({reader.at("log"), in_quotes(cluster.log), "the servers of NATS, as \"nats://n1,n2,n3\"", {}});
  }
  reader.read("replicas", cluster.replicas);
  if (const ParamValue* capacity = reader.find("capacity")) {
    ObjectReader(*capacity, reader.at("capacity"), cluster_capacity_keys(), faults).read("bytes", cluster.bytes);
  }
  reader.read("credentials", cluster.credentials);
  if (const ParamValue* tls = reader.find("tls")) {
    cluster.tls = read_tls(*tls, reader.at("tls"), faults);
  }
  cluster.moves = read_moves(reader);
  return cluster;
}

ParamValue cluster_value(const Cluster& cluster) {
  Params out;
  out.set("log", ParamValue(cluster.log));
  if (cluster.replicas != Cluster{}.replicas) {
    out.set("replicas", ParamValue(static_cast<std::int64_t>(cluster.replicas)));
  }
  if (cluster.bytes) {
    out.set("capacity", ParamMap{{"bytes", ParamValue(static_cast<std::int64_t>(*cluster.bytes))}});
  }
  if (!cluster.credentials.empty()) {
    out.set("credentials", ParamValue(cluster.credentials));
  }
  if (cluster.tls != TlsFiles{}) {
    out.set("tls", ParamValue(tls_value(cluster.tls)));
  }
  if (!cluster.moves.empty()) {
    out.set("moves", ParamValue(ParamList(cluster.moves.begin(), cluster.moves.end())));
  }
  return ParamValue(out.values());
}

}  // namespace pystream::plan
