#include "profile/replica_sums.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "plan/stage_names.hpp"

namespace pystream::profile {
namespace {

struct Sum {
  Figures figures;
  KeySummary rest;  ///< what figures do not tell
};

void add(Sum& sum, const KeySummary& key, const Figures& figures) {
  if (sum.rest.replicas++ == 0 || sum.figures.items == 0) {
    sum.figures.first_end_ns = figures.first_end_ns;
  } else if (figures.items > 0) {
    sum.figures.first_end_ns = std::min(sum.figures.first_end_ns, figures.first_end_ns);
  }
  sum.figures.last_end_ns = std::max(sum.figures.last_end_ns, figures.last_end_ns);
  sum.figures.add(figures);
  sum.figures.rows_lost += figures.rows_lost;
  sum.rest.role = key.role;
  sum.rest.restarts += key.restarts;
  sum.rest.dropped += key.dropped;
  sum.rest.rows += key.rows;
  sum.rest.one_row_in = std::max(sum.rest.one_row_in, key.one_row_in);
  // The link in front of them is one.
  sum.rest.has_link |= key.has_link;
  sum.rest.fill = std::max(sum.rest.fill, key.fill);
  sum.rest.queueing_s = std::max(sum.rest.queueing_s, key.queueing_s);
  sum.rest.oldest_s = std::max(sum.rest.oldest_s, key.oldest_s);
}

KeySummary summary_of(const std::string& key, const Sum& sum) {
  KeySummary all = summary_of(sum.figures);
  all.key = key;
  all.role = sum.rest.role;
  all.replicas = sum.rest.replicas;
  all.restarts = sum.rest.restarts;
  all.dropped = sum.rest.dropped;
  all.rows = sum.rest.rows;
  all.one_row_in = sum.rest.one_row_in;
  all.has_link = sum.rest.has_link;
  all.fill = sum.rest.fill;
  all.queueing_s = sum.rest.queueing_s;
  all.oldest_s = sum.rest.oldest_s;
  return all;
}

}  // namespace

std::vector<KeySummary> with_replica_sums(std::vector<KeySummary> keys, std::span<const Figures> figures) {
  std::map<std::string, Sum> sums;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string common = plan::without_replicas(keys[i].key);
    if (common != keys[i].key && keys[i].role != "pipeline") {
      Sum& sum = sums.try_emplace(common, Sum{.figures = {}, .rest = {.replicas = 0}}).first->second;
      add(sum, keys[i], figures[i]);
    }
  }
  std::vector<KeySummary> all;
  for (KeySummary& key : keys) {
    if (const auto sum = sums.find(plan::without_replicas(key.key)); sum != sums.end() && key.role != "pipeline") {
      all.push_back(summary_of(sum->first, sum->second));
      sums.erase(sum);
    }
    all.push_back(std::move(key));
  }
  return all;
}

}  // namespace pystream::profile
