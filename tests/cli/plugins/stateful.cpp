#include <pystream/registry.hpp>

/// A stage that declares as much checkpointed state as it may.
namespace {

class Hoard final : public pystream::RawStage, public pystream::CheckpointArea<std::size_t{1} << 30> {
 public:
  void operator()(const pystream::Item& in, pystream::Output& out) override { out.forward(in); }
};

PYSTREAM_STAGE("test.hoard", Hoard);

}  // namespace
