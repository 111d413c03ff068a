#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <pystream/registry.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The ends of parts without a server: streams are files in the folder that `log` names. A stream begins with its item
/// type and plan hash; an item that was written in part, as its writer died, is cut off by the next writer.
namespace {

using namespace pystream;

constexpr std::uint32_t kEnd = ~std::uint32_t{0};
constexpr std::uint32_t kMark = kEnd - 1;

struct Head {
  std::uint32_t bytes = 0;  ///< kEnd: no item follows; kMark: of the first record
  std::uint32_t length = 0;
  std::uint64_t sequence = 0;
};

std::vector<ParamSpec> params_with(std::vector<ParamSpec> more) {
  std::vector<ParamSpec> all{{.name = "log"},
                             {.name = "stream"},
                             {.name = "replicas", .type = ParamType::integer, .fallback = 1},
                             {.name = "capacity", .type = ParamType::integer, .fallback = ParamValue()},
                             {.name = "credentials", .fallback = ParamValue()},
                             {.name = "tls_ca", .fallback = ParamValue()},
                             {.name = "item_type"},
                             {.name = "plan_hash"},
                             {.name = "part"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

class StreamFile {
 public:
  StreamFile(const Params& params, int flags)
      : mark_(params.string("item_type") + " " + params.string("plan_hash")),
        path_(params.string("log").substr(std::strlen("nats://")) + "/" + params.string("stream")),
        fd_(::open(path_.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~StreamFile() { ::close(fd_); }
  StreamFile(const StreamFile&) = delete;
  StreamFile& operator=(const StreamFile&) = delete;

  bool is_open() const { return fd_ >= 0; }
  const std::string& mark() const { return mark_; }

  /// The record at `position`, if all of it is there.
  bool read(off_t position, Head& head, std::string& bytes) const {
    if (::pread(fd_, &head, sizeof head, position) != sizeof head) {
      return false;
    }
    bytes.resize(head.length);
    return ::pread(fd_, bytes.data(), bytes.size(), position + static_cast<off_t>(sizeof head)) ==
           static_cast<ssize_t>(bytes.size());
  }
  void expect_mark(const std::string& found) const {
    if (found != mark_) {
      throw Error("the stream " + path_ + " holds items of \"" + found + "\", expected \"" + mark_ + "\"");
    }
  }
  void write(std::uint32_t kind, std::uint64_t sequence, std::string_view bytes) {
    const Head head{.bytes = kind, .length = static_cast<std::uint32_t>(bytes.size()), .sequence = sequence};
    std::string all(reinterpret_cast<const char*>(&head), sizeof head);
    all.append(bytes);
    if (::write(fd_, all.data(), all.size()) != static_cast<ssize_t>(all.size())) {
      throw Error("cannot write " + path_);
    }
  }
  void cut(off_t length) {
    if (::ftruncate(fd_, length) != 0) {
      throw Error("cannot cut " + path_);
    }
  }

 private:
  std::string mark_;
  std::string path_;
  int fd_;
};

struct Position {
  std::uint64_t bytes = 0;
};

class FakeSource final : public RawSource<Position> {
 public:
  explicit FakeSource(Params params) : params_(std::move(params)) {}
  static StageInfo describe() {
    return {.summary = "reads a stream",
            .params = params_with({{.name = "journal", .fallback = ParamValue()}}),
            .output = "any"};
  }

  bool produce(Output& out) override {
    Head head;
    std::string bytes;
    while (!opened() || !file_->read(static_cast<off_t>(cursor().bytes), head, bytes)) {
      if (draining()) {
        return true;
      }
      ::poll(nullptr, 0, 5);
    }
    cursor().bytes += sizeof head + bytes.size();
    if (head.bytes == kMark) {
      file_->expect_mark(bytes);
    } else if (head.bytes != kEnd) {
      std::memcpy(out.reserve(bytes.size()).data(), bytes.data(), bytes.size());
      out.emit_reserved(bytes.size());
    }
    return head.bytes != kEnd;
  }

 private:
  bool opened() {
    if (!file_ || !file_->is_open()) {
      file_ = std::make_unique<StreamFile>(params_, O_RDONLY);
    }
    return file_->is_open();
  }

  Params params_;
  std::unique_ptr<StreamFile> file_;
};

struct Written {
  std::uint64_t sequence = 0;  ///< of the last item in the stream
  std::uint64_t items = 0;     ///< of that sequence
};

class FakeSink final : public RawSink<> {
 public:
  explicit FakeSink(const Params& params) : file_(params, O_RDWR | O_CREAT | O_APPEND) {
    if (!file_.is_open()) {
      throw Error("cannot open the stream");
    }
  }
  static StageInfo describe() {
    return {.summary = "writes a stream",
            .params = params_with({{.name = "claim", .type = ParamType::boolean, .fallback = false}}),
            .input = "any"};
  }

  void start() override { look_back(); }
  void resume() override { look_back(); }

  void consume(const Item& in) override {
    const std::uint64_t sequence = in.sequence();
    seen_.items = seen_.sequence == sequence ? seen_.items + 1 : 1;
    seen_.sequence = sequence;
    const bool written = before_.items > 0 && (sequence < before_.sequence ||
                                               (sequence == before_.sequence && seen_.items <= before_.items));
    if (!written) {
      file_.write(0, sequence, {reinterpret_cast<const char*>(in.bytes().data()), in.bytes().size()});
    }
  }
  void cleanup() override {
    if (!cut_short() && !ended_) {
      file_.write(kEnd, 0, {});
    }
  }

 private:
  /// What is in the stream already is not written again.
  void look_back() {
    Head head;
    std::string bytes;
    off_t at = 0;
    while (file_.read(at, head, bytes)) {
      at += static_cast<off_t>(sizeof head + bytes.size());
      if (head.bytes == kMark) {
        file_.expect_mark(bytes);
      } else if (head.bytes == kEnd) {
        ended_ = true;
      } else {
        before_.items = head.sequence == before_.sequence ? before_.items + 1 : 1;
        before_.sequence = head.sequence;
      }
    }
    file_.cut(at);
    if (at == 0) {
      file_.write(kMark, 0, file_.mark());
    }
  }

  StreamFile file_;
  Written before_;
  Written seen_;
  bool ended_ = false;
};

PYSTREAM_STAGE("nats.source", FakeSource);
PYSTREAM_STAGE("nats.sink", FakeSink);

}  // namespace
