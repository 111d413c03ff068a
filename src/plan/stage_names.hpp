#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// How people read and write the names of stages. Databases, JSON and CSV have profile keys
/// ("MainPipeline__Enhance__Resize"); all other output has their short form ("Enhance.Resize"), and people may write
/// either, with "/" as well, or just the last levels of it ("Resize").
namespace pystream::plan {

/// "Enhance.Resize" for "MainPipeline__Enhance__Resize", whatever stands around it: "A -> B" for a link's name too.
std::string short_key(std::string_view key);

/// Those of `keys` that `name` may mean: the one whose levels it gives in full, else all that end in its levels.
/// `keys` may have the main pipeline's name in front, or not. Replicas are meant together, by the key that they have in
/// common, unless `name` has the number of one ("Encode#2").
std::vector<std::string> keys_named(std::string_view name, std::span<const std::string> keys);

/// The one that `name` means. Throws Error, with all that it could mean, if there is none or more than one; `place`
/// says where it was looked for: "run 3", "this plan".
std::string key_named(std::string_view name, std::span<const std::string> keys, std::string_view place);

/// "MainPipeline__Encode" for "MainPipeline__Encode#2": the key that all replicas have in common.
std::string without_replicas(std::string_view key);

/// The short form of a key that several replicas have in common: "Encode ×3".
std::string replicas_name(std::string_view key, std::uint32_t replicas);

/// "A.Resize and B.Resize".
std::string listed(const std::vector<std::string>& keys);

/// Whether `key` is `outer` or stands inside of it.
bool is_within(std::string_view key, std::string_view outer);

/// "did you mean …?", or nothing.
std::string name_hint(std::string_view name, std::span<const std::string> keys);

}  // namespace pystream::plan
