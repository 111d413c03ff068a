#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// Where profiles are kept unless somebody says otherwise.
namespace pystream::profile {

/// PYSTREAM_PROFILES, $XDG_STATE_HOME/pystream, ~/.local/state/pystream. A user without a home folder has
/// /tmp/pystream-UID, which this makes, for that user alone; throws ProfilingError if it is somebody else's.
std::filesystem::path usual_profiler_folder();

/// A sentence for a user who has no home folder: where the profiles are instead. Empty: they are where they should be.
std::string homeless_note();

/// `folder` or, if it is empty, the usual one.
std::filesystem::path profiler_folder(const std::filesystem::path& folder = {});
/// The database in that folder.
std::filesystem::path database_in(const std::filesystem::path& folder);
/// The database and the files that SQLite keeps beside it.
std::vector<std::filesystem::path> database_files_in(const std::filesystem::path& folder);

}  // namespace pystream::profile
