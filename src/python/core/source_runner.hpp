#pragma once

#include <Python.h>

#include <cstdint>
#include <memory>
#include <pystream/stage.hpp>

#include "python/core/object.hpp"
#include "python/core/run_flags.hpp"

namespace pystream::python {

/// Runs a Python source: a callable that gives an iterable, or an iterable. A source whose worker died goes on behind
/// what was given: it is told to, if it has a method resume(given), else so many items of a new iterator are skipped.
/// The cursor says how many there are.
class SourceRunner final : public RawSource<std::uint64_t> {
 public:
  SourceRunner(Reference source, std::shared_ptr<RunFlags> flags)
      : source_(std::move(source)), flags_(std::move(flags)) {}
  void resume() override;
  bool produce(Output& out) override;
  void cleanup() override;

 private:
  bool open();
  Reference next();

  Reference source_;
  std::shared_ptr<RunFlags> flags_;
  Reference iterator_;
  std::uint64_t to_skip_ = 0;
  Object given_;  ///< freed with the next call, which holds Python's lock anyway
};

}  // namespace pystream::python
