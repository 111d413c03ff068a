#include <pystream/error.hpp>

#include "serve/http_server.hpp"

/// In place of http_server.cpp where cpp-httplib is not installed.
namespace pystream::serve {

class HttpServer::Impl {};

HttpServer::HttpServer(Handler) {}
HttpServer::~HttpServer() = default;

bool HttpServer::available() {
  return false;
}
void HttpServer::listen(const Listen&) {
  throw Error("this build has no HTTP library; install libcpp-httplib-dev and build pystream again");
}
int HttpServer::port() const {
  return 0;
}
void HttpServer::run() {}
void HttpServer::stop() {}
std::string HttpServer::answer_to(std::string_view) {
  return {};
}

}  // namespace pystream::serve
