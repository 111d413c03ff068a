#pragma once

#include <filesystem>
#include <string>

#include "serve/access.hpp"
#include "serve/live_runs.hpp"
#include "serve/page_files.hpp"
#include "serve/replays.hpp"
#include "store/database.hpp"

/// What `pystream-coord serve` answers with: the page, figures of running pipelines, the profile database, and, if it
/// is allowed, control. src/docs/serve.md lists the paths.
namespace pystream::serve {

struct ServiceSetup {
  Access access;
  std::filesystem::path folder;   ///< profiler folder
  std::filesystem::path program;  ///< pystream-coord
  PageFiles page;
};

/// Used by many threads at once.
class Service {
 public:
  explicit Service(ServiceSetup setup);

  /// Whatever is in the request.
  Answer answer(const Request& request);

 private:
  Answer routed(const Request& request);
  Answer metrics();
  Answer server() const;
  Answer overview();
  Answer pipeline(const Request& request);
  Answer runs();
  Answer run(const Request& request);
  Answer history(const Request& request);
  Answer compare(const Request& request);
  Answer letters(const Request& request);
  Answer letter(const Request& request, bool whole);
  Answer stop(const Request& request);
  Answer replay(const Request& request);
  store::Database open() const;

  ServiceSetup setup_;
  LiveRuns live_;
  Replays replays_;
};

}  // namespace pystream::serve
