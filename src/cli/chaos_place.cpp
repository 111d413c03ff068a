#include "cli/chaos_place.hpp"

#include <algorithm>
#include <fstream>

#include "cli/compare_output.hpp"
#include "cli/frame.hpp"
#include "cli/output_file.hpp"
#include "plan/param_check.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOutput = "output";
constexpr const char* kUndisturbed = "undisturbed";

/// The name stays: its extension may say how the sink has to write.
fs::path name_of(const std::string& path) {
  const fs::path name = fs::path(path).filename();
  return name.empty() || name == "-" ? fs::path("stdout.txt") : name;
}

void copy_file(const fs::path& from, const std::string& to) {
  OutputFile out(to);
  std::ifstream in(from, std::ios::binary);
  std::string chunk(1 << 20, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    out.write(std::string_view(chunk).substr(0, static_cast<std::size_t>(in.gcount())));
  }
  if (!in.eof()) {
    throw Error("cannot read " + from.string());
  }
  out.commit();
}

}  // namespace

ChaosPlace::ChaosPlace(LoadedPlan& loaded, const std::string& keep) {
  if (keep.empty()) {
    folder_ = temporary_.emplace("chaos").path();
  } else {
    folder_ = fs::absolute(keep);
    if (fs::exists(folder_) && !(fs::is_directory(folder_) && fs::is_empty(folder_))) {
      throw BadUsage("--keep: " + keep + " exists already; name a folder that is empty or is not there yet");
    }
  }
  redirect_sink(loaded, *loaded.plan.sink.stage);
  fs::create_directories(folder_ / kOutput);
  loaded.plan.profiler.folder = folder_ / "profiles";
}

void ChaosPlace::redirect_sink(const LoadedPlan& loaded, plan::StageSpec& sink) {
  const fs::path place = folder_ / kOutput;
  if (sink.type == "discard") {
    return;
  }
  if (sink.type == "stdout") {
    sink.type = "file_writer";
    output_ = place / name_of("-");
    sink.params.set("path", output_.string());
    return;
  }
  const auto type = std::ranges::find(loaded.types, sink.type, &StageType::name);
  const auto takes = [&](const char* name) {
    return type != loaded.types.end() && plan::find_spec(type->info.params, name) != nullptr;
  };
  const auto text_of = [&](const char* name) {
    const ParamValue* value = sink.params.find(name);
    const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
    return text == nullptr ? std::string() : *text;
  };
  if (takes("directory") && (!takes("path") || !text_of("directory").empty())) {
    output_ = place / "files";
    sink.params.set("directory", output_.string());
  } else if (takes("path")) {
    output_ = place / name_of(text_of("path"));
    sink.params.set("path", output_.string());
  } else {
    throw BadUsage("chaos runs a plan in a place of its own, and the sink \"" + sink.type +
                   "\" cannot be made to write there: it has neither a parameter \"path\" nor \"directory\"; use a "
                   "plan whose sink is file_writer or discard");
  }
}

void ChaosPlace::keep_undisturbed() {
  if (!fs::exists(output_)) {
    throw Error("--verify: the sink has written nothing that could be compared");
  }
  fs::rename(folder_ / kOutput, folder_ / kUndisturbed);
  fs::create_directories(folder_ / kOutput);
}

std::string ChaosPlace::difference() const {
  return difference_of(folder_ / kUndisturbed, folder_ / kOutput);
}

bool ChaosPlace::deliver(const std::string& output) const {
  if (fs::is_directory(output_)) {
    fs::create_directories(output);
    fs::copy(output_, output, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  } else if (fs::exists(output_)) {
    copy_file(output_, output);
  } else {
    return false;
  }
  return true;
}

}  // namespace pystream::cli
