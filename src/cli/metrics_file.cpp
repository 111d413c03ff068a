#include "cli/metrics_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "cli/frame.hpp"
#include "serve/metrics_text.hpp"

namespace pystream::cli {
namespace {

constexpr std::chrono::seconds kPeriod{5};

/// Beside the file and renamed, so that no reader sees half of it. The collector reads names that end in .prom only.
/// Not synchronized to the disk: figures of before a loss of power are of no use. Returns what went wrong.
std::string replace_file(const std::string& file, const std::string& text) {
  const std::string partial = file + ".part-" + std::to_string(::getpid());
  const auto failed = [&](const char* what) {
    const std::string why = std::string(what) + " " + file + ": " + std::strerror(errno);
    ::unlink(partial.c_str());
    return why;
  };
  base::UniqueFd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) {
    return failed("cannot write");
  }
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t put = ::write(fd.get(), text.data() + at, text.size() - at);
    if (put < 0 && errno != EINTR) {
      return failed("cannot write");
    }
    at += put > 0 ? static_cast<std::size_t>(put) : 0;
  }
  if (::close(fd.release()) != 0 && errno != EINTR) {
    return failed("cannot write");
  }
  return ::rename(partial.c_str(), file.c_str()) == 0 ? std::string() : failed("cannot replace");
}

}  // namespace

MetricsFile::MetricsFile(std::string file, Warn warn) : file_(std::move(file)), warn_(std::move(warn)) {
  if (file_.empty()) {
    return;
  }
  struct stat status {};
  if (::stat(file_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw BadUsage("--metrics: " + file_ + " is no regular file; it would be replaced again and again");
  }
  if (const std::string why = replace_file(file_, serve::metrics_text({})); !why.empty()) {
    throw Error("--metrics: " + why);
  }
}

void MetricsFile::update(const Status& status) {
  const std::chrono::nanoseconds now(base::now_ns());
  if (!file_.empty() && now >= next_) {
    next_ = now + kPeriod;
    write(status());
  }
}

void MetricsFile::finish(coord::LiveStatus status) {
  if (!file_.empty()) {
    status.state = "ended";
    write(std::move(status));
  }
}

void MetricsFile::write(coord::LiveStatus status) {
  const serve::Observed observed = serve::observe(std::move(status));
  const std::string why = replace_file(file_, serve::metrics_text({&observed, 1}));
  if (!why.empty() && !std::exchange(warned_, true)) {
    warn_("--metrics: " + why + "; the run goes on");
  }
}

}  // namespace pystream::cli
