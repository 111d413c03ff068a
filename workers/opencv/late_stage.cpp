#include "opencv/late_stage.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <pystream/error.hpp>
#include <utility>

namespace pystream::opencv {
namespace {

/// The folder of this very plugin.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) {
    return {};
  }
  return std::filesystem::path(info.dli_fname).parent_path();
}

/// For the rest of the process.
MakeLateStage load(const std::string& library) {
  void* handle = ::dlopen((own_folder() / library).c_str(), RTLD_NOW | RTLD_LOCAL);
  void* found = handle != nullptr ? ::dlsym(handle, kMakeLateStage) : nullptr;
  if (found == nullptr) {
    const char* why = ::dlerror();
    throw Error(library + ", which belongs beside libpystream_opencv.so, cannot be loaded: " +
                (why != nullptr ? why : "unknown reason"));
  }
  return *static_cast<const MakeLateStage*>(found);
}

}  // namespace

StageType late_stage(StageType type, std::string library) {
  type.make = [name = type.name, library = std::move(library)](const Params& params) {
    return load(library)(name, params);
  };
  return type;
}

}  // namespace pystream::opencv
