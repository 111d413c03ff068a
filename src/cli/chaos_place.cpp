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
  fs::create_directories(folder_ / kOutput);
  output_ = redirect_sink(loaded, *loaded.plan.sink.stage, folder_ / kOutput);
  redirect_others(loaded, loaded.plan.root, folder_ / kOutput);
  loaded.plan.profiler.folder = folder_ / "profiles";
}

void ChaosPlace::redirect_others(const LoadedPlan& loaded, plan::Node& pipeline, const fs::path& place) {
  for (plan::Node& child : pipeline.children) {
    const fs::path own = place / ("branch_" + child.name);
    if (child.is_pipeline()) {
      redirect_others(loaded, child, own);
    } else if (child.kind == StageKind::sink) {
      fs::create_directories(own);
      of_branches_.push_back(own);
      redirect_sink(loaded, *child.stage, own);
    }
  }
}

fs::path ChaosPlace::redirect_sink(const LoadedPlan& loaded, plan::StageSpec& sink, const fs::path& place) {
  const auto write_to = [&](const char* parameter, const fs::path& output) {
    sink.params.set(parameter, output.string());
    return output;
  };
  if (sink.type == "discard") {
    return {};
  }
  if (sink.type == "stdout") {
    sink.type = "file_writer";
    return write_to("path", place / name_of("-"));
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
    return write_to("directory", place / "files");
  }
  if (takes("path")) {
    return write_to("path", place / name_of(text_of("path")));
  }
  throw BadUsage("chaos runs a plan in a folder of its own, and the sink \"" + sink.type +
                 "\" cannot write there: it has neither a parameter \"path\" nor \"directory\"; use a "
                 "plan whose sinks are file_writer or discard");
}

void ChaosPlace::keep_undisturbed() {
  if (!output_.empty() && !fs::exists(output_)) {
    throw Error("--verify: the sink has written nothing that could be compared");
  }
  fs::rename(folder_ / kOutput, folder_ / kUndisturbed);
  fs::create_directories(folder_ / kOutput);
  std::ranges::for_each(of_branches_, [](const fs::path& place) { fs::create_directories(place); });
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
