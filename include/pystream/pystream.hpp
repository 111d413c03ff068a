#pragma once

/// Everything the library offers. For plugins, <pystream/registry.hpp> is enough.
#include <pystream/array.hpp>
#include <pystream/codec.hpp>
#include <pystream/crash.hpp>
#include <pystream/dead_letter.hpp>
#include <pystream/error.hpp>
#include <pystream/functional.hpp>
#include <pystream/item.hpp>
#include <pystream/log.hpp>
#include <pystream/options.hpp>
#include <pystream/params.hpp>
#include <pystream/pipeline.hpp>
#include <pystream/registry.hpp>
#include <pystream/stage.hpp>
#include <pystream/status.hpp>
#include <pystream/worker_main.hpp>
