// Five nodes in a row, each adds 1 to 64-byte items: pystream's processes, the bare chain of processes (the limit)
// and oneTBB's pipeline of threads, in turn in one run. Prints medians and ratios.
//   chain_bench [ITEMS] [REPETITIONS] [ONLY]     ONLY: a part of the names of those to run

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "bare_chain.hpp"
#include "fork_pipeline.hpp"
#ifdef PYSTREAM_HAVE_TBB
#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#endif

namespace {

using pystream::bench::ForkPipeline;
using Payload = std::array<std::uint64_t, 8>;

class Numbers final : public pystream::Source<Payload, std::uint64_t> {
 public:
  explicit Numbers(std::uint64_t count) : count_(count) {}
  std::optional<Payload> next() override {
    if (cursor() == count_) {
      return std::nullopt;
    }
    return Payload{cursor()++};
  }

 private:
  std::uint64_t count_;
};

struct AddOne final : pystream::Stage<Payload> {
  Payload operator()(Payload item) override {
    ++item[0];
    return item;
  }
};

struct AddOneInPlace final : pystream::RawStage {
  void operator()(const pystream::Item& in, pystream::Output& out) override {
    const auto to = out.reserve(in.bytes().size());
    std::memcpy(to.data(), in.bytes().data(), to.size());
    std::uint64_t value = 0;
    std::memcpy(&value, to.data(), sizeof(value));
    ++value;
    std::memcpy(to.data(), &value, sizeof(value));
    out.emit_reserved(to.size());
  }
};

struct Sum final : pystream::Sink<Payload, std::uint64_t> {
  void operator()(Payload item) override { cursor() += item[0]; }
};

template <class Stage>
double run_pystream(std::uint64_t items) {
  ForkPipeline pipeline({[items] { return pystream::detail::host(std::make_unique<Numbers>(items)); },
                         [] { return pystream::detail::host(std::make_unique<Stage>()); },
                         [] { return pystream::detail::host(std::make_unique<Stage>()); },
                         [] { return pystream::detail::host(std::make_unique<Stage>()); },
                         [] { return pystream::detail::host(std::make_unique<Sum>()); }});
  const double seconds = std::chrono::duration<double>(pipeline.run()).count();
  if (pipeline.summary().back().items != items) {
    std::fprintf(stderr, "the sink got %lu of %lu items\n", static_cast<unsigned long>(pipeline.summary().back().items),
                 static_cast<unsigned long>(items));
    std::exit(1);
  }
  return static_cast<double>(items) / seconds;
}

#ifdef PYSTREAM_HAVE_TBB
double run_tbb(std::uint64_t items) {
  std::uint64_t next = 0;
  std::uint64_t sum = 0;
  const auto add = [](Payload item) {
    ++item[0];
    return item;
  };
  constexpr auto kInOrder = tbb::filter_mode::serial_in_order;
  const auto start = std::chrono::steady_clock::now();
  tbb::parallel_pipeline(
      64, tbb::make_filter<void, Payload>(kInOrder,
                                          [&](tbb::flow_control& control) {
                                            if (next == items) {
                                              control.stop();
                                            }
                                            return Payload{next++};
                                          }) &
              tbb::make_filter<Payload, Payload>(kInOrder, add) & tbb::make_filter<Payload, Payload>(kInOrder, add) &
              tbb::make_filter<Payload, Payload>(kInOrder, add) &
              tbb::make_filter<Payload, void>(kInOrder, [&](Payload item) { sum += item[0]; }));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return static_cast<double>(items) / seconds;
}
#endif

double run_bare(std::uint64_t items) {
  return static_cast<double>(items) /
         std::chrono::duration<double>(pystream::bench::run_bare_chain(5, sizeof(Payload), items)).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 5'000'000;
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 5;
  struct Contender {
    std::string name;
    std::function<double(std::uint64_t)> run;
    std::vector<double> rates{};
  };
  std::vector<Contender> contenders{{"pystream, typed stages", run_pystream<AddOne>},
                                    {"pystream, in place", run_pystream<AddOneInPlace>},
                                    {"bare chain of processes", run_bare}};
#ifdef PYSTREAM_HAVE_TBB
  contenders.push_back({"oneTBB, threads", run_tbb});
#else
  std::puts("oneTBB is not installed: not measured");
#endif
  if (argc > 3) {
    std::erase_if(contenders, [&](const Contender& one) { return one.name.find(argv[3]) == std::string::npos; });
  }
  for (int i = 0; i < repetitions; ++i) {
    for (Contender& contender : contenders) {
      contender.rates.push_back(contender.run(items));
    }
  }
  if (contenders.empty()) {
    std::fprintf(stderr, "nothing of that name\n");
    return 2;
  }
  const double own = median(contenders[0].rates);
  std::printf("%-28s %12s %12s %12s %10s\n", "5 nodes, 64-byte items", "median M/s", "min", "max", "pystream /");
  for (const Contender& contender : contenders) {
    const auto [low, high] = std::minmax_element(contender.rates.begin(), contender.rates.end());
    std::printf("%-28s %12.2f %12.2f %12.2f %9.2fx\n", contender.name.c_str(), median(contender.rates) * 1e-6,
                *low * 1e-6, *high * 1e-6, own / median(contender.rates));
  }
}
