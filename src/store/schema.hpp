#pragma once

#include "profile/home.hpp"
#include "store/database.hpp"

/// The tables and views of a profile database: an interface for people and their tools, described in
/// src/docs/profiles.md and in `SELECT sql FROM sqlite_master`. PRAGMA user_version holds kSchemaVersion.
///
/// Whoever changes a table raises kSchemaVersion and adds a step to migrate(); columns are only ever added.
namespace pystream::store {

inline constexpr int kSchemaVersion = 4;
inline constexpr int kLinkFillVersion = 3;  ///< from here on link_windows has `fill` and `oldest_ns`
inline constexpr int kMinutesVersion = 4;   ///< from here on there are `minutes` and `link_minutes`
/// PRAGMA application_id: "pstr".
inline constexpr int kApplicationId = 0x70737472;

/// Creates the tables of a new database and brings those of an older version up to date. Throws ProfilingError if the
/// database is of a newer version, or is somebody else's.
/// REQUIRES: the StoreLock is held.
void migrate(Database& database);

/// Of this machine, as runs carry it.
std::string host_name();
/// The same path; its folder is there now.
std::filesystem::path with_folder(const std::filesystem::path& database);

/// The run of a coordinator process that began at this time; nullopt: it does not stand here.
std::optional<std::int64_t> run_of(Database& database, std::uint64_t coordinator_pid, double started);

/// For readers: throws ProfilingError if this program does not know the database's version.
void require_known_version(Database& database);

/// Makes the views Latency and Throughput show run `run`: a row per item, a column per key.
void show_run_in_views(Database& database, std::int64_t run);

}  // namespace pystream::store
