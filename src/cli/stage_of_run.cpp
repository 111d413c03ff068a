#include "cli/stage_of_run.hpp"

#include "cli/frame.hpp"
#include "plan/stage_names.hpp"
#include "store/past_runs.hpp"

namespace pystream::cli {

StageOfRun::StageOfRun(store::Database& database, std::optional<std::int64_t> run, const std::string& name)
    : name_(name) {
  if (name.empty()) {
    key_ = "";
    return;
  }
  const std::vector<std::string> keys = store::stage_keys(database, run);
  try {
    key_ = plan::key_named(name, keys, run ? "run " + std::to_string(*run) : "any run");
    name_ = plan::short_key(*key_);
  } catch (const Error& error) {
    if (!plan::keys_named(name, keys).empty()) {
      throw BadUsage(error.what());
    }
    warn(error.what());
  }
}

bool StageOfRun::includes(const std::string& key) const {
  return key_ && (key_->empty() || plan::is_within(key, *key_) || plan::is_within(plan::without_replicas(key), *key_));
}

int StageOfRun::exit_code() const {
  return key_ ? kDone : kBadUsage;
}

}  // namespace pystream::cli
