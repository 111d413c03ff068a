#include "serve/http_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <pystream/error.hpp>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/system_error.hpp"
#include "base/unique_fd.hpp"

namespace pystream::serve {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kMostWaiting = 64;           ///< connections that wait for a thread; more are closed
constexpr std::size_t kLongestRequest = 64 << 10;  ///< bytes, with all its headers
constexpr std::size_t kLongestBody = 16 << 10;
constexpr std::int64_t kRequestNs = 5'000'000'000;  ///< from the connection to the end of the request
constexpr std::int64_t kAnswerNs = 30'000'000'000;  ///< for all of a connection
constexpr std::int64_t kLingerNs = 500'000'000;
constexpr int kBacklog = 128;

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string tls_error() {
  std::array<char, 256> text{};
  ::ERR_error_string_n(::ERR_get_error(), text.data(), text.size());
  return text.data();
}

/// What a request may cost, whoever brings it.
class LimitedStream : public httplib::Stream {
 public:
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}

  ssize_t read(char* to, std::size_t size) override {
    const ssize_t got = read_ >= kLongestRequest ? -1 : receive(to, std::min(size, kLongestRequest - read_));
    read_ += got > 0 ? static_cast<std::size_t>(got) : 0;
    return got;
  }

 protected:
  virtual ssize_t receive(char* to, std::size_t size) = 0;

 private:
  std::size_t read_ = 0;
};

/// A connection, with TLS or without. Its descriptor does not block; waiting ends with the connection's time.
class Connection final : public LimitedStream {
 public:
  Connection(base::UniqueFd fd, SSL_CTX* context) : fd_(std::move(fd)), begun_(base::now_ns()) {
    if (context != nullptr) {
      ssl_.reset(::SSL_new(context));
    }
  }

  /// False: there is no TLS with the other side.
  [[nodiscard]] bool shake_hands() {
    return ssl_ == nullptr || (::SSL_set_fd(ssl_.get(), fd_.get()) == 1 &&
                               repeat(kRequestNs, [&] { return ::SSL_accept(ssl_.get()); }) == 1);
  }
  ssize_t receive(char* to, std::size_t size) override {
    return ssl_ != nullptr ? repeat(kRequestNs, [&] { return ::SSL_read(ssl_.get(), to, static_cast<int>(size)); })
                           : repeat_plain(POLLIN, kRequestNs, [&] { return ::recv(fd_.get(), to, size, 0); });
  }
  ssize_t write(const char* from, std::size_t size) override {
    const std::size_t part = std::min<std::size_t>(size, 1 << 20);
    return ssl_ != nullptr
               ? repeat(kAnswerNs, [&] { return ::SSL_write(ssl_.get(), from, static_cast<int>(part)); })
               : repeat_plain(POLLOUT, kAnswerNs, [&] { return ::send(fd_.get(), from, part, MSG_NOSIGNAL); });
  }
  socket_t socket() const override { return fd_.get(); }

  /// Reads away what the other side still sends: closing a socket with unread bytes would take the answer from it.
  void close_gently() {
    if (ssl_ != nullptr) {
      ::SSL_shutdown(ssl_.get());
    }
    ::shutdown(fd_.get(), SHUT_WR);
    const std::int64_t end = base::now_ns() + kLingerNs;
    std::array<char, 4096> sink{};
    for (std::size_t read = 0; read < kLongestRequest && wait(POLLIN, end);) {
      const ssize_t got = ::recv(fd_.get(), sink.data(), sink.size(), 0);
      if (got <= 0 && errno != EINTR) {
        return;
      }
      read += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
  }

 private:
  bool wait(short events, std::int64_t end) const {
    while (true) {
      const std::int64_t left = (end - base::now_ns()) / 1'000'000;
      pollfd watched{.fd = fd_.get(), .events = events, .revents = 0};
      const int ready = left > 0 ? ::poll(&watched, 1, static_cast<int>(left)) : 0;
      if (ready >= 0 || errno != EINTR) {
        return ready > 0;
      }
    }
  }
  template <class Try>
  ssize_t repeat_plain(short events, std::int64_t limit, const Try& attempt) const {
    while (true) {
      const ssize_t done = attempt();
      if (done >= 0) {
        return done;
      }
      if (errno != EINTR && ((errno != EAGAIN && errno != EWOULDBLOCK) || !wait(events, begun_ + limit))) {
        return -1;
      }
    }
  }
  template <class Try>
  int repeat(std::int64_t limit, const Try& attempt) {
    while (true) {
      ::ERR_clear_error();
      const int done = attempt();
      if (done > 0) {
        return done;
      }
      const int why = ::SSL_get_error(ssl_.get(), done);
      const bool again = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
      if (!again || !wait(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, begun_ + limit)) {
        return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
      }
    }
  }

  base::UniqueFd fd_;
  std::int64_t begun_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

/// Bytes that are there already.
class TextStream final : public LimitedStream {
 public:
  explicit TextStream(std::string_view input) : input_(input) {}

  ssize_t receive(char* to, std::size_t size) override {
    const std::size_t got = input_.copy(to, size);
    input_.remove_prefix(got);
    return static_cast<ssize_t>(got);
  }
  ssize_t write(const char* from, std::size_t size) override {
    output_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  socket_t socket() const override { return -1; }
  const std::string& output() const { return output_; }

 private:
  std::string_view input_;
  std::string output_;
};

/// Parses requests and writes answers. How connections come and go is not the library's affair: it would wait for each
/// byte anew, and keep any number of connections.
class Protocol final : public httplib::Server {
 public:
  explicit Protocol(HttpServer::Handler handler) : handler_(std::move(handler)) {
    set_payload_max_length(kLongestBody);
    set_pre_routing_handler([this](const httplib::Request& in, httplib::Response& out) {
      respond(in, out);
      return HandlerResponse::Handled;
    });
  }

  void answer(httplib::Stream& stream) {
    bool closed = false;
    process_request(stream, true, closed, [](httplib::Request& request) {
      // Compressing takes longer than the loopback interface, and beside secrets it tells of them.
      request.headers.erase("Accept-Encoding");
      // A short header may ask for any number of copies.
      request.headers.erase("Range");
      request.ranges.clear();
    });
  }

 private:
  void respond(const httplib::Request& in, httplib::Response& out) const {
    Request request{.method = in.method, .path = in.path, .query = {}, .headers = {}};
    for (const auto& [name, value] : in.params) {
      request.query.emplace(name, value);
    }
    for (const auto& [name, value] : in.headers) {
      request.headers.emplace_back(name, value);
    }
    Answer answer;
    try {
      answer = handler_(request);
    } catch (const std::exception& error) {
      answer = failure(500, error.what());
    }
    out.status = answer.status;
    for (const auto& [name, value] : answer.headers) {
      out.set_header(name, value);
    }
    out.set_content(std::move(answer.body), answer.type);
  }

  HttpServer::Handler handler_;
};

base::UniqueFd listener_at(const Listen& where) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(where.port);
  const std::string place = where.address + ":" + port;
  if (const int code = ::getaddrinfo(where.address.c_str(), port.c_str(), &hints, &found); code != 0) {
    throw Error("cannot listen on " + place + ": " + ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  base::UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    throw Error("cannot listen on " + place + ": " + std::strerror(errno));
  }
  return fd;
}

std::unique_ptr<SSL_CTX, FreeContext> make_context(const Listen& where) {
  if (where.certificate.empty()) {
    return nullptr;
  }
  std::unique_ptr<SSL_CTX, FreeContext> context(::SSL_CTX_new(::TLS_server_method()));
  if (context == nullptr || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    throw Error("cannot use TLS: " + tls_error());
  }
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (::SSL_CTX_use_certificate_chain_file(context.get(), where.certificate.c_str()) != 1) {
    throw Error("cannot use the certificate " + where.certificate + ": " + tls_error());
  }
  if (::SSL_CTX_use_PrivateKey_file(context.get(), where.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(context.get()) != 1) {
    throw Error("cannot use the key " + where.key + " with the certificate " + where.certificate + ": " + tls_error());
  }
  return context;
}

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(Handler handler) : protocol_(std::move(handler)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!stop_) {
      base::throw_errno("cannot make an eventfd");
    }
  }

  void listen(const Listen& where) {
    context_ = make_context(where);
    listener_ = listener_at(where);
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    std::array<char, NI_MAXSERV> port{};
    if (::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port.data(), port.size(),
                      NI_NUMERICSERV) != 0) {
      base::throw_errno("cannot tell the port");
    }
    port_ = std::stoi(port.data());
  }
  int port() const { return port_; }

  void run() {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([this] { work(); });
    }
    while (wait_for_connection()) {
      accept_one();
    }
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      waiting_.clear();
    }
    wake_.notify_all();
  }

  void stop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(stop_.get(), &one, sizeof(one));
  }

  std::string answer_to(std::string_view bytes) {
    TextStream stream(bytes);
    protocol_.answer(stream);
    return stream.output();
  }

 private:
  /// False: it is over.
  bool wait_for_connection() {
    while (true) {
      std::array<pollfd, 2> watched{{{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
        base::throw_errno("cannot wait for connections");
      }
      if ((watched[1].revents & POLLIN) != 0) {
        return false;
      }
      if ((watched[0].revents & POLLIN) != 0) {
        return true;
      }
    }
  }

  void accept_one() {
    base::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));  // others have to end first
      }
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kMostWaiting) {
        return;
      }
      waiting_.push_back(std::move(fd));
    }
    wake_.notify_one();
  }

  void work() {
    while (true) {
      base::UniqueFd fd;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return over_ || !waiting_.empty(); });
        if (over_) {
          return;
        }
        fd = std::move(waiting_.front());
        waiting_.pop_front();
      }
      Connection connection(std::move(fd), context_.get());
      try {
        if (connection.shake_hands()) {
          protocol_.answer(connection);
          connection.close_gently();
        }
      } catch (const std::exception&) {  // no memory: this connection ends, others go on
      }
    }
  }

  Protocol protocol_;
  base::UniqueFd stop_;
  base::UniqueFd listener_;
  int port_ = 0;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<base::UniqueFd> waiting_;
  bool over_ = false;
};

HttpServer::HttpServer(Handler handler) : impl_(std::make_unique<Impl>(std::move(handler))) {}
HttpServer::~HttpServer() = default;

bool HttpServer::available() {
  return true;
}
void HttpServer::listen(const Listen& where) {
  impl_->listen(where);
}
int HttpServer::port() const {
  return impl_->port();
}
void HttpServer::run() {
  impl_->run();
}
void HttpServer::stop() {
  impl_->stop();
}
std::string HttpServer::answer_to(std::string_view bytes) {
  return impl_->answer_to(bytes);
}

}  // namespace pystream::serve
