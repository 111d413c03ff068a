#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <pystream/registry.hpp>
#include <string>
#include <system_error>

#include "core/name_template.hpp"
#include "core/output_file.hpp"

namespace pystream::core {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::byte, 1> kNewline{std::byte{'\n'}};

/// "auto": after items that the plan knows to be text. All others are written byte for byte, whatever the file is
/// called.
bool wants_newline(const std::string& choice, const std::string& item_type) {
  return choice == "auto" ? item_type == "string" : choice == "always";
}

ParamSpec item_type_param() {
  return {.name = "item_type",
          .type = ParamType::string,
          .fallback = "",
          .text =
              "what the items are, for newline auto (\"string\": lines of text); filled in from the stage before if it "
              "is empty"};
}

/// A file per item in one directory. Each appears under its name only once it is complete.
class ItemFiles {
 public:
  ItemFiles(fs::path directory, const std::string& pattern)
      : directory_(std::move(directory)), name_("file_writer", pattern) {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (!fs::is_directory(directory_)) {
      throw Error("file_writer: cannot make the directory " + directory_.string() + ": " +
                  (error ? error.message() : "something else has this name") +
                  "; \"directory\" must be a place that can be written");
    }
    if (::access(directory_.c_str(), W_OK | X_OK) != 0) {
      throw_errno("file_writer: cannot write into the directory " + directory_.string(), errno);
    }
  }

  void write(const Item& item) {
    const std::string name = name_.name_of(item);
    const fs::path complete = directory_ / name;
    const fs::path partial = directory_ / ("." + name + ".partial");
    Descriptor file = create(partial);
    try {
      write_all(file.get(), item.bytes(), partial);
      if (const int error = file.close(); error != 0) {
        fail("cannot write all of " + partial.string(), error);
      }
      if (::rename(partial.c_str(), complete.c_str()) != 0) {
        fail("cannot rename " + partial.string() + " to " + complete.string(), errno);
      }
    } catch (...) {
      ::unlink(partial.c_str());
      throw;
    }
  }

  /// Throws if the disk is full or broken: that is no fault of an item, and the next one fares no better.
  void require_disk() const {
    if (!disk_fault_.empty()) {
      throw Error(disk_fault_);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what, int error) {
    const std::string text = "file_writer: " + what + ": " + std::generic_category().message(error);
    if (error == ENOSPC || error == EDQUOT || error == EROFS || error == EIO) {
      disk_fault_ = text + "; make room or choose another place";
      throw Error(disk_fault_);
    }
    throw Error(text);
  }

  /// A new file. One that a killed predecessor left goes; what else has this name is not ours, and nothing is written
  /// through a link.
  Descriptor create(const fs::path& path) {
    constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Descriptor file(::open(path.c_str(), kNew, 0666));
    struct stat there {};
    if (!file.valid() && errno == EEXIST && ::lstat(path.c_str(), &there) == 0) {
      if (!S_ISREG(there.st_mode)) {
        throw Error("file_writer: " + path.string() +
                    " is in the way, and is no regular file; file_writer writes each item there first: remove it");
      }
      if (::unlink(path.c_str()) != 0) {
        fail("cannot remove " + path.string(), errno);
      }
      file = Descriptor(::open(path.c_str(), kNew, 0666));
    }
    if (!file.valid()) {
      fail("cannot create " + path.string(), errno);
    }
    return file;
  }

  void write_all(int file, std::span<const std::byte> bytes, const fs::path& path) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(file, bytes.data(), bytes.size());
      if (put >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(put));
      } else if (errno != EINTR) {
        fail("cannot write " + std::to_string(bytes.size()) + " bytes to " + path.string(), errno);
      }
    }
  }

  std::string disk_fault_;  ///< the disk's, not an item's
  fs::path directory_;
  NameTemplate name_;
};

class FileWriter final : public RawSink<FileCursor> {
 public:
  explicit FileWriter(const Params& params) {
    const std::string& path = params.string("path");
    const std::string& directory = params.string("directory");
    if (path.empty() == directory.empty()) {
      throw InvalidParam(std::string("file_writer: ") + (path.empty() ? "neither" : "both") +
                         " of \"path\" and \"directory\" given; expected \"path\" for one file with all items or "
                         "\"directory\" for a file per item");
    }
    if (directory.empty()) {
      newline_ = wants_newline(params.string("newline"), params.string("item_type"));
      file_.emplace("file_writer", path);
    } else {
      files_.emplace(directory, params.string("pattern"));
    }
  }

  static StageInfo describe() {
    return {.summary = "writes items to one file, or each to a file of its own",
            .params = {{.name = "path",
                        .type = ParamType::string,
                        .fallback = "",
                        .text = "one file for all items, one after another; - is standard output",
                        .file = FileUse::writes},
                       {.name = "newline",
                        .type = ParamType::string,
                        .fallback = "auto",
                        .text = "with path: a newline after every item; auto: if the items are lines of text (of the "
                                "source lines, of exec with framing lines; stages that do not say what they give "
                                "leave items what they were)",
                        .choices = {"auto", "always", "never"}},
                       item_type_param(),
                       {.name = "directory",
                        .type = ParamType::string,
                        .fallback = "",
                        .text = "a file per item in this directory, which is made if need be",
                        .file = FileUse::writes},
                       {.name = "pattern",
                        .type = ParamType::string,
                        .fallback = "{sequence:06}.{extension}",
                        .text = "with directory: file names; {sequence}, {part}, each with a width as in {part:02}, "
                                "and {extension}, guessed from the content",
                        .file = FileUse::names}},
            .input = "any"};
  }

  void start() override {
    if (file_) {
      file_->start();
    }
  }
  void consume(const Item& in) override {
    if (files_) {
      files_->write(in);
    } else {
      file_->append(in.bytes(), std::span(kNewline).first(newline_ ? 1 : 0));
    }
  }
  void flush() override {
    if (file_) {
      cursor() = file_->flush();
    } else {
      files_->require_disk();
    }
  }
  void resume() override {
    if (file_) {
      file_->resume(cursor());
    }
  }
  void cleanup() override {
    flush();
    if (file_) {
      file_->close();
    }
  }

 private:
  bool newline_ = false;
  std::optional<OutputFile> file_;
  std::optional<ItemFiles> files_;
};

/// Standard output, which others may write to as well: see OutputFile.
class StandardOutput final : public RawSink<FileCursor> {
 public:
  explicit StandardOutput(const Params& params)
      : newline_(wants_newline(params.string("newline"), params.string("item_type"))), file_("stdout", "-") {}

  static StageInfo describe() {
    return {.summary =
                "writes items to standard output; never cuts a file that it was redirected to, and after a crash "
                "doubles nothing there unless others write to it too; into a pipe it is at least once",
            .params = {{.name = "newline",
                        .type = ParamType::string,
                        .fallback = "auto",
                        .text = "a newline after every item; auto: if the items are lines of text (of the source "
                                "lines, of exec with framing lines; stages that do not say what they give leave items "
                                "what they were)",
                        .choices = {"auto", "always", "never"}},
                       item_type_param()},
            .input = "any",
            .writes_standard_output = true};
  }

  void start() override { file_.start(); }
  void consume(const Item& in) override { file_.append(in.bytes(), std::span(kNewline).first(newline_ ? 1 : 0)); }
  void flush() override { cursor() = file_.flush(); }
  void resume() override { file_.resume(cursor()); }
  void cleanup() override { flush(); }

 private:
  bool newline_;
  OutputFile file_;
};

PYSTREAM_STAGE("file_writer", FileWriter);
PYSTREAM_STAGE("stdout", StandardOutput);

}  // namespace
}  // namespace pystream::core
