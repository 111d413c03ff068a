#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/database.hpp"

namespace pystream::cli {

/// What `name` means among the stages and pipelines of a run (none: of any run), as plan/stage_names.hpp takes it.
class StageOfRun {
 public:
  /// An empty name means all. One that the run does not have is reported on standard error. Throws BadUsage if it may
  /// be several.
  StageOfRun(store::Database& database, std::optional<std::int64_t> run, const std::string& name);

  /// Whether the stage `key` is meant, or stands in the pipeline that is.
  bool includes(const std::string& key) const;
  /// kDone, or kBadUsage if there is no such stage.
  int exit_code() const;
  /// For people.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::optional<std::string> key_;  ///< empty: all; none: there is no such stage
};

}  // namespace pystream::cli
