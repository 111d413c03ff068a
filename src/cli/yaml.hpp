#pragma once

#include <pystream/params.hpp>
#include <string>

namespace pystream::cli {

/// A value as a YAML 1.1 and 1.2 document in block style; every text in it is quoted, so that none is taken for
/// anything else.
std::string yaml_text(const ParamValue& value);

}  // namespace pystream::cli
