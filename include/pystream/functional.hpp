#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

/// Pipelines without a Pipeline: plain functions put together.
namespace pystream::functional {

/// Runs functions on a fixed number of threads. Its destructor waits for what runs. Thread-safe.
///
///     pystream::functional::Executor executor(2);
///     executor.run_all({[&] { load(left); }, [&] { load(right); }});
class Executor {
 public:
  /// Starts its threads; at least one.
  explicit Executor(std::size_t threads);
  ~Executor();  ///< waits for what runs
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs all of them, up to `threads` at once, and waits for the last; then rethrows the first exception there was,
  /// by the order of the functions. Must not be called from a function that this executor runs.
  void run_all(const std::vector<std::function<void()>>& functions);

 private:
  class Crew;
  std::unique_ptr<Crew> crew_;
};

/// Shared by everyone who names none: 10 threads, started at first use, ended at exit.
Executor& default_executor();

namespace detail {

/// A class and no generic lambda: of that, clang looks at both branches as soon as the types of the functions are
/// known.
template <class First, class Rest>
struct Serial {
  First first;
  Rest rest;

  template <class... In>
  auto operator()(In&&... in) {
    if constexpr (std::is_void_v<std::invoke_result_t<First&, In...>>) {
      first(std::forward<In>(in)...);
      return rest();
    } else {
      return rest(first(std::forward<In>(in)...));
    }
  }
};

}  // namespace detail

/// A function that passes its argument through the functions given, one after another. Without arguments they are just
/// called in turn.
///
///     auto plan = pystream::functional::func_serial([](int x) { return x + 1; }, [](int x) { return x * 2; });
///     plan(20);  // 42
template <class First>
auto func_serial(First first) {
  return first;
}
/// The same for more than one function.
template <class First, class... Rest>
auto func_serial(First first, Rest... rest) {
  auto others = func_serial(std::move(rest)...);
  return detail::Serial<First, decltype(others)>{std::move(first), std::move(others)};
}

/// A function that runs all of `functions` at once on the executor's threads and returns when all have ended. They
/// carry their own inputs and outputs; the first exception comes out. `executor` must outlive the function. Fork
/// workers (Pipeline::parallelize()) before the first call: its threads would be named in the warning there.
[[nodiscard]] std::function<void()> func_parallel_thread(std::vector<std::function<void()>> functions,
                                                         Executor& executor = default_executor());

}  // namespace pystream::functional
