#pragma once

#include <pystream/params.hpp>

#include "core/child_program.hpp"

namespace pystream::core {

/// The program that the parameters "command", "env" and "cwd" of an exec stage name. Throws InvalidParam.
ChildProgram::Command exec_command(const Params& params);

}  // namespace pystream::core
