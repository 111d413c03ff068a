#pragma once

#include <unistd.h>
#include <zmq.h>

#include <string>

#include "bench/hop_channels.hpp"

namespace pystream::bench {

/// ZeroMQ's PUSH and PULL over ipc://.
class ZmqChannel {
 public:
  ZmqChannel() : path_("/tmp/pystream-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++count_)) {}
  ~ZmqChannel() { ::unlink(path_.c_str()); }
  ZmqChannel(const ZmqChannel&) = delete;
  ZmqChannel& operator=(const ZmqChannel&) = delete;

  void attach_sender() {
    open(ZMQ_PUSH);
    if (::zmq_connect(socket_, ("ipc://" + path_).c_str()) != 0) {
      give_up("zmq_connect");
    }
  }
  void attach_receiver() {
    open(ZMQ_PULL);
    if (::zmq_bind(socket_, ("ipc://" + path_).c_str()) != 0) {
      give_up("zmq_bind");
    }
  }
  void send(const Message& message) {
    if (::zmq_send(socket_, message.data(), sizeof(message), 0) < 0) {
      give_up("zmq_send");
    }
  }
  void receive(Message& message) {
    if (::zmq_recv(socket_, message.data(), sizeof(message), 0) < 0) {
      give_up("zmq_recv");
    }
  }

 private:
  /// In the process that uses it: a context has threads.
  void open(int type) {
    socket_ = ::zmq_socket(::zmq_ctx_new(), type);
    if (socket_ == nullptr) {
      give_up("zmq_socket");
    }
  }

  static inline int count_ = 0;
  std::string path_;
  void* socket_ = nullptr;  ///< ends with its process
};

}  // namespace pystream::bench
