#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/stage_driver.hpp"

/// For tests of sources.
namespace pystream::test {

using Texts = std::vector<std::string>;

inline ParamMap fixed_path(const std::string& path) {
  return {{"path", path}};
}

/// Cuts a run after every number of items and resumes a new object there: the rest must be the same.
inline void expect_resume_at_every_item(std::string_view type, const ParamMap& params) {
  const Texts whole = run_source(*make_stage(type, params));
  for (std::size_t committed = 0; committed <= whole.size(); ++committed) {
    auto first = make_stage(type, params);
    Texts all = run_source(*first, committed);
    const std::string cursor = saved_cursor(*first);
    run_source(*first, 2);  // done, not committed
    first.reset();
    auto second = make_stage(type, params);
    restart_from(*second, cursor);
    for (const std::string& item : run_source(*second)) {
      all.push_back(item);
    }
    ASSERT_EQ(all, whole) << "cut after " << committed << " items";
  }
}

}  // namespace pystream::test
