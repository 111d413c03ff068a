#pragma once

#include <array>
#include <pystream/params.hpp>
#include <vector>

#include "plan/plan.hpp"

/// The keys of a plan file, as tables that both the reader and the JSON Schema follow.
/// Keys that hold an object or a list of stages are of type `any` here and are checked by their own table.
namespace pystream::plan {

using KeyTable = std::vector<ParamSpec>;

inline constexpr const char* kAutoReplicas = "auto";

const KeyTable& root_keys();
const KeyTable& pipeline_keys();
const KeyTable& stage_keys();
const KeyTable& source_keys();
const KeyTable& sink_keys();
const KeyTable& keys_of(StageKind kind);  ///< one of the three
const KeyTable& limits_keys();
const KeyTable& links_keys();  ///< of `links` and of a stage's `link`
const KeyTable& capacity_keys();
const KeyTable& profiler_keys();
const KeyTable& restarts_keys();
const KeyTable& cluster_keys();
const KeyTable& cluster_capacity_keys();  ///< of `capacity` in it
const KeyTable& tls_keys();               ///< of `tls` in it
const KeyTable& share_keys();             ///< of `share`, if it is an object
const KeyTable& share_key_keys();         ///< of `key` in it

template <class Enum>
struct Values;
template <>
struct Values<Mode> {
  static constexpr std::array kAll{Mode::parallel, Mode::serial, Mode::branch};
};
template <>
struct Values<Join> {
  static constexpr std::array kAll{Join::zip, Join::merge, Join::first, Join::none};
};
template <>
struct Values<Overflow> {
  static constexpr std::array kAll{Overflow::block, Overflow::drop_newest, Overflow::drop_oldest};
};
template <>
struct Values<OnCrash> {
  static constexpr std::array kAll{OnCrash::replay, OnCrash::skip, OnCrash::fail};
};
template <>
struct Values<OnError> {
  static constexpr std::array kAll{OnError::dead_letter, OnError::skip, OnError::retry, OnError::fail};
};

/// The words of an enum as plan files write them.
template <class Enum>
std::vector<std::string> words_of() {
  std::vector<std::string> words;
  for (const Enum value : Values<Enum>::kAll) {
    words.emplace_back(to_string(value));
  }
  return words;
}

}  // namespace pystream::plan
