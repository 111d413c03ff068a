#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http.hpp"

namespace pystream::serve {

/// Where a server listens.
struct Listen {
  std::string address = "127.0.0.1";
  int port = 8080;          ///< 0: one that is free
  std::string certificate;  ///< files in PEM format; empty: without TLS
  std::string key;
};

/// Answers HTTP requests, one on a connection. Limits hold whatever the other side does: so many connections at once,
/// so many bytes and so much time for each.
///
///     HttpServer server([](const Request&) { return Answer{.body = "{}"}; });
///     server.listen({.port = 0});
///     server.run();  // until another thread calls stop()
class HttpServer {
 public:
  /// Called by several threads at once. What it throws becomes an answer of status 500.
  using Handler = std::function<Answer(const Request&)>;

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// False: this build has no HTTP library, and the others do nothing.
  static bool available();

  /// Takes the address. Throws Error if that is not possible, or the certificate cannot be used.
  void listen(const Listen& where);
  int port() const;
  /// Answers until stop(). REQUIRES: listen().
  void run();
  /// From any thread, and before run() as well.
  void stop();

  /// All that a connection that sends `bytes` and nothing more gets back. For tests.
  std::string answer_to(std::string_view bytes);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pystream::serve
