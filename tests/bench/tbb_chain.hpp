#pragma once

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "base/clock.hpp"

/// oneTBB's pipeline of five in-order filters in threads, doing what the chain of processes does.
namespace pystream::bench {

/// How many items may be inside: as TBB's own examples have it, a few for each filter.
inline constexpr std::size_t kTbbTokens = 64;

/// Items by value. `due` is called before each item is made, `leave` with each that comes out.
template <class Item, class Make, class Leave>
void run_tbb_pipeline(std::uint64_t items, Make make, Leave leave) {
  constexpr auto kInOrder = tbb::filter_mode::serial_in_order;
  std::uint64_t next = 0;
  const auto add = [](Item item) {
    ++item[0];
    return item;
  };
  tbb::parallel_pipeline(
      kTbbTokens, tbb::make_filter<void, Item>(kInOrder,
                                               [&](tbb::flow_control& control) {
                                                 if (next == items) {
                                                   control.stop();
                                                   return Item{};
                                                 }
                                                 return make(next++);
                                               }) &
                      tbb::make_filter<Item, Item>(kInOrder, add) & tbb::make_filter<Item, Item>(kInOrder, add) &
                      tbb::make_filter<Item, Item>(kInOrder, add) & tbb::make_filter<Item, void>(kInOrder, leave));
}

/// Items that stay where they are, in a pool, and change in place: pointers travel.
template <class Item, class Make, class Leave>
void run_tbb_pointers(std::uint64_t items, Make make, Leave leave) {
  constexpr auto kInOrder = tbb::filter_mode::serial_in_order;
  std::vector<Item> pool(kTbbTokens * 2);
  std::uint64_t next = 0;
  const auto add = [](Item* item) {
    ++(*item)[0];
    return item;
  };
  tbb::parallel_pipeline(kTbbTokens, tbb::make_filter<void, Item*>(kInOrder,
                                                                   [&](tbb::flow_control& control) -> Item* {
                                                                     if (next == items) {
                                                                       control.stop();
                                                                       return nullptr;
                                                                     }
                                                                     Item* item = &pool[next % pool.size()];
                                                                     *item = make(next++);
                                                                     return item;
                                                                   }) &
                                         tbb::make_filter<Item*, Item*>(kInOrder, add) &
                                         tbb::make_filter<Item*, Item*>(kInOrder, add) &
                                         tbb::make_filter<Item*, Item*>(kInOrder, add) &
                                         tbb::make_filter<Item*, void>(kInOrder, [&](Item* item) { leave(*item); }));
}

/// Items a second through either of them, of items that count; ends the benchmark if not every item arrived.
template <class Item, bool kPointers>
double tbb_rate(std::uint64_t items) {
  constexpr std::uint64_t kAdding = 3;  ///< filters
  std::uint64_t sum = 0;
  const auto make = [](std::uint64_t value) { return Item{value}; };
  const auto leave = [&](const Item& item) { sum += item[0]; };
  const std::int64_t began = base::now_ns();
  if constexpr (kPointers) {
    run_tbb_pointers<Item>(items, make, leave);
  } else {
    run_tbb_pipeline<Item>(items, make, leave);
  }
  const double seconds = static_cast<double>(base::now_ns() - began) * 1e-9;
  if (sum != items * (items - 1) / 2 + items * kAdding) {
    std::fprintf(stderr, "oneTBB's pipeline lost items\n");
    std::exit(EXIT_FAILURE);
  }
  return static_cast<double>(items) / seconds;
}

}  // namespace pystream::bench
