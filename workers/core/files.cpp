#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <pystream/params.hpp>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

#include "core/input_stream.hpp"
#include "core/line_reader.hpp"
#include "core/run_outputs.hpp"
#include "core/scope_exit.hpp"

namespace pystream::core {
namespace {

namespace fs = std::filesystem;

/// A file list may have changed when the source is restarted, so the cursor knows the last file by name too.
struct FilesCursor {
  std::uint64_t index = 0;      ///< of the next file, in a directory
  std::uint64_t last_name = 0;  ///< hash of the path before it
  StreamCursor list{};          ///< when the paths come from standard input
};

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

/// The matching files of a folder, and of those below it. As in a shell, a name that begins with a dot fits only a
/// pattern that does so too, and hidden folders are not looked into.
class FolderListing {
 public:
  FolderListing(const std::string& pattern, bool recursive) : pattern_(pattern), recursive_(recursive) {}

  std::vector<std::string> list(const fs::path& root) {
    folders_.push_back(root);
    while (!folders_.empty()) {
      const fs::path folder = std::move(folders_.back());
      folders_.pop_back();
      list_one(folder, folder == root);
    }
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  void list_one(const fs::path& folder, bool is_root) {
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      take(*entries);
    }
    if (error) {
      throw Error("files: cannot list " + folder.string() + ": " + error.message() + "; make it readable" +
                  (is_root ? "" : ", or move it elsewhere: \"recursive\" takes every folder below"));
    }
  }

  void take(const fs::directory_entry& entry) {
    std::error_code ignored;
    const std::string name = entry.path().filename().string();
    if (fs::is_directory(entry.symlink_status(ignored))) {
      if (recursive_ && !name.starts_with('.')) {
        folders_.push_back(entry.path());
      }
      return;
    }
    // A link that leads nowhere is kept: reading it tells what is wrong.
    const fs::file_status status = entry.status(ignored);
    if ((fs::is_regular_file(status) || !fs::exists(status)) &&
        ::fnmatch(pattern_.c_str(), name.c_str(), FNM_PERIOD) == 0) {
      found_.push_back(entry.path().string());
    }
  }

  const std::string& pattern_;
  bool recursive_;
  std::vector<fs::path> folders_;
  std::vector<std::string> found_;
};

/// The matching files below `root`, by name; `root` itself if it is a file.
std::vector<std::string> list_files(const fs::path& root, const std::string& pattern, bool recursive) {
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  if (!fs::exists(status)) {
    throw Error("files: " + root.string() +
                (error && status.type() != fs::file_type::not_found ? " cannot be looked at: " + error.message()
                                                                    : " does not exist") +
                "; \"path\" must be a directory, a file, or \"-\"");
  }
  if (!fs::is_directory(status)) {
    return {root.string()};
  }
  return FolderListing(pattern, recursive).list(root);
}

/// An item for every file.
class Files : public RawSource<FilesCursor> {
 public:
  explicit Files(const Params& params)
      : emit_path_(params.string("emit") == "path"),
        may_be_none_(params.string("when_empty") == "end"),
        path_(params.string("path")),
        pattern_(params.string("pattern")) {
    const std::string& path = path_;
    if (path == "-") {
      list_ = std::make_unique<InputStream>("files", path);
      reader_ = std::make_unique<LineReader>(*list_, kLongestPath);
    } else {
      files_ = list_files(path, params.string("pattern"), params.boolean("recursive"));
    }
  }

  static StageInfo describe() {
    return {.summary = "reads files, an item each, in the order of their names",
            .params = {{.name = "path",
                        .type = ParamType::string,
                        .text = "directory or file; - takes paths from standard input, one per line",
                        .file = FileUse::reads},
                       {.name = "pattern",
                        .type = ParamType::string,
                        .fallback = "*",
                        .text = "file names to take from the directory (* ? and [...] as in a shell; hidden files only "
                                "if it begins with a dot)",
                        .file = FileUse::names},
                       {.name = "recursive",
                        .type = ParamType::boolean,
                        .fallback = false,
                        .text = "also look into the directories below, but not into hidden ones",
                        .file = FileUse::recursive},
                       {.name = "when_empty",
                        .type = ParamType::string,
                        .fallback = "fail",
                        .text = "what a directory without a matching file is: an error, or the end of the run",
                        .choices = {"fail", "end"}},
                       {.name = "emit",
                        .type = ParamType::string,
                        .fallback = "content",
                        .text = "what an item is: the file's content or its path",
                        .choices = {"content", "path"}}},
            .output = "bytes",
            .framing = "emit"};
  }

  void start() override {
    if (list_ == nullptr && files_.empty() && !may_be_none_) {
      throw Error("files: no file in " + path_ + " matches " + pattern_ +
                  "; check \"path\" and \"pattern\" (\"when_empty\": \"end\" allows it)");
    }
  }

  bool produce(Output& out) override {
    FilesCursor next = cursor();
    const ScopeExit commit_position([&] { cursor() = next; });
    std::string path;
    if (list_ != nullptr) {
      std::string_view line;
      const InputStream::Status status = reader_->next(line);
      next.list = {reader_->consumed(), 1, next.list.lost};
      if (status != InputStream::Status::data) {
        return status == InputStream::Status::interrupted;
      }
      path = line;
      if (path.find('\0') != path.npos) {
        throw Error("files: found a path with a NUL character on standard input; expected a path on each line");
      }
    } else {
      if (next.index >= files_.size()) {
        return false;
      }
      path = files_[next.index++];
      next.last_name = hash_of(path);
    }
    if (emit_path_) {
      out.emit_bytes(std::as_bytes(std::span(path)));
    } else {
      emit_content(path, out);
    }
    return true;
  }

  bool buffered() override { return list_ != nullptr && reader_->buffered(); }

  void cleanup() override {
    if (list_ != nullptr) {
      list_->leave_at(cursor().list);
      reader_->lose_ahead();
    }
  }

  void resume() override {
    if (list_ != nullptr) {
      list_->resume(cursor().list);
      reader_->restart();
      return;
    }
    const auto is_last = [&](const std::string& path) { return hash_of(path) == cursor().last_name; };
    const std::uint64_t index = cursor().index;
    if (index == 0 || (index <= files_.size() && is_last(files_[index - 1]))) {
      return;
    }
    const auto last = std::find_if(files_.begin(), files_.end(), is_last);
    if (last != files_.end()) {
      cursor().index = static_cast<std::uint64_t>(last - files_.begin()) + 1;
    } else {
      std::fprintf(stderr, "files: restarted after a file that is no longer there; going on with file %llu\n",
                   static_cast<unsigned long long>(index + 1));
    }
  }

 private:
  static constexpr std::uint64_t kLongestPath = 1 << 16;
  static constexpr std::size_t kMostWithoutSize = std::size_t{1} << 30;

  static void emit_content(const std::string& path, Output& out) {
    struct stat info {};
    const Descriptor file = open_regular(path, info);
    if (is_output_of_this_run(file.get(), info, path)) {
      throw Error("files: " + path + " is an output of this run, and would be destroyed");
    }
    // Some files (below /proc) have a size only once they are read.
    std::vector<std::byte> grown;
    std::span<std::byte> to;
    if (info.st_size > 0) {
      to = out.reserve(static_cast<std::size_t>(info.st_size)).first(static_cast<std::size_t>(info.st_size));
    } else {
      to = grow(grown, path);
    }
    std::size_t filled = 0;
    while (filled < to.size()) {
      const ssize_t got = ::read(file.get(), to.data() + filled, to.size() - filled);
      if (got < 0 && errno != EINTR) {
        throw_errno("files: cannot read " + path, errno);
      }
      if (got == 0) {
        break;
      }
      filled += got > 0 ? static_cast<std::size_t>(got) : 0;
      if (filled == to.size() && info.st_size <= 0) {
        out.reserve(filled + 1);  // throws if the item is too large for the link
        to = grow(grown, path);
      }
    }
    struct stat now {};
    if (filled < to.size() && info.st_size > 0 && ::fstat(file.get(), &now) == 0 && now.st_size < info.st_size) {
      throw Error("files: " + path + " was cut while it was read: found " + std::to_string(filled) +
                  " bytes, expected " + std::to_string(info.st_size));
    }
    if (info.st_size > 0) {
      out.emit_reserved(filled);
    } else {
      out.emit_bytes(to.first(filled));
    }
  }

  /// Others are refused: a FIFO could not be read again after a restart, and a device may have no end.
  static Descriptor open_regular(const std::string& path, struct stat& info) {
    Descriptor file;
    do {
      // Without waiting until somebody writes into a FIFO.
      file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    } while (!file.valid() && errno == EINTR);
    if (!file.valid() || ::fstat(file.get(), &info) != 0) {
      throw_errno("files: cannot open " + path, errno, "it must be a file that can be read");
    }
    if (!S_ISREG(info.st_mode)) {
      std::error_code error;  // a path that was handed over as a descriptor: what it was
      const fs::path behind = descriptor_named(path) ? fs::read_symlink(path, error) : fs::path();
      throw Error("files: " + path + (behind.empty() ? "" : " (" + behind.string() + ")") + " is " + kind_of(info) +
                  "; expected a regular file (\"lines\" and \"frames\" read pipes and devices)");
    }
    return file;
  }

  static const char* kind_of(const struct stat& info) {
    if (S_ISDIR(info.st_mode)) {
      return "a directory";
    }
    return S_ISFIFO(info.st_mode) ? "a FIFO or pipe" : S_ISSOCK(info.st_mode) ? "a socket" : "a device";
  }

  static std::span<std::byte> grow(std::vector<std::byte>& bytes, const std::string& path) {
    if (bytes.size() >= kMostWithoutSize) {
      throw Error("files: " + path + " gives more than " + std::to_string(kMostWithoutSize >> 20U) +
                  " MiB and does not tell its size; it seems to have no end");
    }
    bytes.resize(std::max<std::size_t>(4096, 2 * bytes.size()));
    return bytes;
  }

  bool emit_path_;
  bool may_be_none_;
  std::string path_;
  std::string pattern_;
  std::vector<std::string> files_;
  std::unique_ptr<InputStream> list_;
  std::unique_ptr<LineReader> reader_;
};

/// Items that were kept as files, for whatever stage they were meant.
class Letters final : public Files {
 public:
  using Files::Files;
  static StageInfo describe() {
    StageInfo info = Files::describe();
    info.summary = "reads dead letters for a replay: files, an item of any type each, in the order of their names";
    info.output = "any";
    return info;
  }
};

PYSTREAM_STAGE("files", Files);
PYSTREAM_STAGE("letters", Letters);

}  // namespace
}  // namespace pystream::core
