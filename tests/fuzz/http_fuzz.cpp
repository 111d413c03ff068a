#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "serve/http_server.hpp"
#include "serve/service.hpp"

namespace {

using namespace pystream::serve;

/// A page of one file and no database. Nothing is controlled: whatever the fuzzer sends, no pipeline of this machine
/// is stopped.
ServiceSetup make_setup() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "pystream_http_fuzz";
  std::filesystem::create_directories(folder / "page");
  std::ofstream(folder / "page/index.html") << "<!doctype html>";
  return {.access = {.hosts = {"h"}, .schemes = {"http"}, .token = std::string(64, 'a')},
          .folder = folder / "profiles",
          .program = "/nonexistent",
          .page = PageFiles(folder / "page", {})};
}

}  // namespace

/// Every answer is whole, and none is given under another name than the server's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Service service(make_setup());
  static HttpServer server([](const Request& request) { return service.answer(request); });
  const std::string answer = server.answer_to({reinterpret_cast<const char*>(data), size});
  if (!answer.empty() && !answer.starts_with("HTTP/1.")) {
    std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool names_host = text.find(": h") != std::string_view::npos || text.find(":h") != std::string_view::npos ||
                          text.find(":\t") != std::string_view::npos || text.find(":  ") != std::string_view::npos;
  if (answer.starts_with("HTTP/1.1 200") && !names_host) {
    std::abort();
  }
  return 0;
}
