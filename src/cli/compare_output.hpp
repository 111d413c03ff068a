#pragma once

#include <filesystem>
#include <string>

#include "plan/plan.hpp"

namespace pystream::cli {

/// Keeps what a plan's sink wrote in one run, to compare the next runs with it. What is kept stands beside the output
/// and goes when this object does.
class OutputKeeper {
 public:
  /// Throws BadUsage if the sink writes neither a file nor a folder.
  explicit OutputKeeper(const plan::Plan& plan);
  ~OutputKeeper();
  OutputKeeper(const OutputKeeper&) = delete;
  OutputKeeper& operator=(const OutputKeeper&) = delete;

  /// Takes the output that stands there now.
  void keep();
  /// In what the output that stands there now differs from the kept one; empty: in nothing.
  std::string difference() const;

 private:
  std::filesystem::path output_;
  std::filesystem::path kept_;
};

}  // namespace pystream::cli
