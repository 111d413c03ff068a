#pragma once

/// Everything the library offers. For plugins, <pystream/registry.hpp> is enough.
#include <pystream/codec.hpp>
#include <pystream/error.hpp>
#include <pystream/item.hpp>
#include <pystream/params.hpp>
#include <pystream/registry.hpp>
#include <pystream/stage.hpp>
