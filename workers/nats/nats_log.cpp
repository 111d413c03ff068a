#include "nats/nats_log.hpp"

#include <nats/nats.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <pystream/error.hpp>
#include <utility>

#include "nats/log_error.hpp"
#include "nats/server_info.hpp"

namespace pystream::nats {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kAnswerMs = 5'000;  ///< a verb waits no longer
/// A consumer of libnats 3.4.1 may stall for good after a server restarted. One that was silent for so long is
/// replaced.
constexpr milliseconds kSilence{1'500};
constexpr const char* kExpectedHeader = "Nats-Expected-Last-Sequence";
constexpr std::int64_t kNoLimit = -1;

template <class T, void (*Destroy)(T*)>
struct Destroyer {
  void operator()(T* object) const { Destroy(object); }
};
template <class T, void (*Destroy)(T*)>
using Owned = std::unique_ptr<T, Destroyer<T, Destroy>>;
using Message = Owned<natsMsg, natsMsg_Destroy>;
using Subscription = Owned<natsSubscription, natsSubscription_Destroy>;
using StreamInfo = Owned<jsStreamInfo, jsStreamInfo_Destroy>;

bool is_permanent(natsStatus status) {
  return status == NATS_CONNECTION_AUTH_FAILED || status == NATS_SSL_ERROR || status == NATS_NOT_PERMITTED ||
         status == NATS_INVALID_ARG || status == NATS_SECURE_CONNECTION_REQUIRED ||
         status == NATS_SECURE_CONNECTION_WANTED;
}

/// What a server told beside its answers: libnats calls this in a thread of its own.
class LastComplaint {
 public:
  static void note(natsConnection* connection, natsSubscription*, natsStatus, void* self) {
    const char* text = nullptr;
    if (natsConnection_GetLastError(connection, &text) != NATS_OK && text != nullptr) {
      auto& complaint = *static_cast<LastComplaint*>(self);
      const std::lock_guard lock(complaint.mutex_);
      complaint.text_ = text;
    }
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

class NatsLog final : public Log {
 public:
  NatsLog(jsCtx* js, LastComplaint& complaint, StreamSettings settings)
      : js_(js), complaint_(complaint), settings_(std::move(settings)) {
    open();
  }

  LogEntry last() override {
    natsMsg* found = nullptr;
    jsErrCode code{};
    const natsStatus status = js_GetLastMsg(&found, js_, name(), name(), nullptr, &code);
    const Message message(found);
    if (status == NATS_OK) {
      return entry_of(*message);
    }
    if (status == NATS_NOT_FOUND && code != JSStreamNotFoundErr) {
      return {.number = info()->State.LastSeq, .parcel = {}};
    }
    fail("read the last parcel", status, code);
  }

  Appended append(std::uint64_t expected, std::span<const std::byte> parcel) override {
    natsMsg* made = nullptr;
    natsStatus status = natsMsg_Create(&made, name(), nullptr, reinterpret_cast<const char*>(parcel.data()),
                                       static_cast<int>(parcel.size()));
    const Message message(made);
    // The library leaves the header out where the number is 0, which then means any number.
    if (status == NATS_OK) {
      status = natsMsgHeader_Set(made, kExpectedHeader, std::to_string(expected).c_str());
    }
    jsPubOptions options;
    if (status == NATS_OK) {
      status = jsPubOptions_Init(&options);
    }
    if (status != NATS_OK) {
      fail("make a parcel", status, {});
    }
    options.MaxWait = kAnswerMs;
    options.ExpectStream = name();
    jsPubAck* answered = nullptr;
    jsErrCode code{};
    status = js_PublishMsg(&answered, js_, made, &options, &code);
    const Owned<jsPubAck, jsPubAck_Destroy> ack(answered);
    if (status == NATS_OK) {
      return ack->Sequence == expected + 1 ? Appended::done : Appended::unknown;
    }
    switch (static_cast<int>(code)) {
      case JSStreamWrongLastSequenceErr:
        return Appended::refused;
      case JSStreamStoreFailedErr:  // at its limit of bytes
      case JSAccountResourcesExceededErr:
      case JSInsufficientResourcesErr:
      case JSMemoryResourcesExceededErr:
      case JSStorageResourcesExceededErr:
        return Appended::full;
      case JSStreamMessageExceedsMaximumErr:
        fail("append a parcel of " + std::to_string(parcel.size()) + " bytes", NATS_INVALID_ARG, code);
      default:
        break;
    }
    if (status == NATS_MAX_PAYLOAD || is_permanent(status)) {
      fail("append a parcel of " + std::to_string(parcel.size()) + " bytes", status, code);
    }
    return Appended::unknown;
  }

  std::optional<LogEntry> read(std::uint64_t from, milliseconds wait) override {
    if (subscription_ && next_ == from) {
      auto entry = next_message(from, wait);
      if (entry || subscription_) {
        return entry;
      }
    }
    if (wait.count() == 0) {
      return get(from);
    }
    subscribe(from);
    return next_message(from, wait);
  }

  void release(std::uint64_t upto) override {
    jsOptions options;
    natsStatus status = jsOptions_Init(&options);
    options.Stream.Purge.Sequence = upto + 1;
    jsErrCode code{};
    if (status == NATS_OK) {
      status = js_PurgeStream(js_, name(), &options, &code);
    }
    if (status != NATS_OK) {
      fail("release parcels", status, code);
    }
  }

 private:
  const char* name() const { return settings_.name.c_str(); }

  static LogEntry entry_of(natsMsg& message) {
    LogEntry entry;
    entry.number = natsMsg_GetSequence(&message);
    const auto* const data = reinterpret_cast<const std::byte*>(natsMsg_GetData(&message));
    entry.parcel.assign(data, data + natsMsg_GetDataLength(&message));
    return entry;
  }

  [[noreturn]] void fail(const std::string& what, natsStatus status, jsErrCode code) {
    std::string text = "nats: cannot " + what + " of stream " + settings_.name + ": " + natsStatus_GetText(status);
    if (code != 0) {
      text += " (" + std::to_string(static_cast<int>(code)) + ")";
    }
    if (const std::string complaint = complaint_.text(); !complaint.empty()) {
      text += "; the server said: " + complaint;
    }
    if (code == JSStreamNotFoundErr) {
      throw LogUnusable(text + "; somebody deleted it. What it held is gone; begin a new run");
    }
    if (status == NATS_MAX_PAYLOAD || code == JSStreamMessageExceedsMaximumErr) {
      throw Error(text + "; raise max_payload of the servers, or the stream's limit of message sizes");
    }
    if (is_permanent(status)) {
      throw Error(text);
    }
    throw LogUnreachable(text);
  }

  StreamInfo info() {
    jsStreamInfo* found = nullptr;
    jsErrCode code{};
    const natsStatus status = js_GetStreamInfo(&found, js_, name(), nullptr, &code);
    StreamInfo info(found);
    if (status != NATS_OK) {
      fail("ask for the state", status, code);
    }
    return info;
  }

  void open() {
    jsStreamInfo* found = nullptr;
    jsErrCode code{};
    natsStatus status = js_GetStreamInfo(&found, js_, name(), nullptr, &code);
    StreamInfo info(std::exchange(found, nullptr));
    if (status == NATS_NOT_FOUND) {
      status = add(&found, &code);
      info.reset(found);
      if (code == JSStreamNameExistErr) {
        info = this->info();  // somebody else has made it meanwhile
        status = NATS_OK;
      }
    }
    if (status != NATS_OK) {
      fail("open the log", status, code);
    }
    require_safe(*info->Config);
  }

  natsStatus add(jsStreamInfo** info, jsErrCode* code) {
    std::array<const char*, 1> subjects{name()};
    jsStreamConfig config;
    const natsStatus status = jsStreamConfig_Init(&config);
    if (status != NATS_OK) {
      return status;
    }
    config.Name = name();
    config.Subjects = subjects.data();
    config.SubjectsLen = static_cast<int>(subjects.size());
    config.Retention = js_LimitsPolicy;
    config.Discard = js_DiscardNew;
    config.Storage = js_FileStorage;
    config.Replicas = settings_.replicas;
    config.MaxBytes = settings_.capacity > 0 ? settings_.capacity : kNoLimit;
    return js_AddStream(info, js_, &config, nullptr, code);
  }

  /// A stream that somebody else made, or changed, may lose what nobody has read.
  void require_safe(const jsStreamConfig& config) const {
    std::string fault;
    if (config.Retention != js_LimitsPolicy) {
      fault = "its retention is not \"limits\": its last message could vanish";
    } else if (config.Discard != js_DiscardNew) {
      fault = "it discards old messages when it is full, instead of new ones";
    } else if (config.MaxAge != 0 || config.MaxMsgs > 0 || config.MaxMsgsPerSubject > 0) {
      fault = "it has a limit of ages or numbers of messages";
    } else if (config.Storage != js_FileStorage) {
      fault = "it is kept in memory";
    } else if (config.NoAck || config.Sealed || config.DenyPurge) {
      fault = "it acknowledges nothing, is sealed, or lets nothing be purged";
    }
    if (!fault.empty()) {
      throw LogUnusable("nats: the stream " + settings_.name + " cannot be a log: " + fault +
                        "; delete it, and a part makes it as it must be");
    }
  }

  /// The first parcel from this number on.
  std::optional<LogEntry> get(std::uint64_t from) {
    for (int tries = 0; tries < 2; ++tries) {
      natsMsg* found = nullptr;
      jsErrCode code{};
      const natsStatus status = js_GetMsg(&found, js_, name(), from, nullptr, &code);
      const Message message(found);
      if (status == NATS_OK) {
        return entry_of(*message);
      }
      if (status != NATS_NOT_FOUND || code == JSStreamNotFoundErr) {
        fail("read parcel " + std::to_string(from), status, code);
      }
      const std::uint64_t first = info()->State.FirstSeq;
      if (first <= from) {
        return std::nullopt;
      }
      from = first;
    }
    return std::nullopt;
  }

  void subscribe(std::uint64_t from) {
    subscription_.reset();
    jsSubOptions options;
    natsStatus status = jsSubOptions_Init(&options);
    options.Stream = name();
    options.Ordered = true;
    options.Config.DeliverPolicy = js_DeliverByStartSequence;
    options.Config.OptStartSeq = from;
    natsSubscription* made = nullptr;
    jsErrCode code{};
    if (status == NATS_OK) {
      status = js_SubscribeSync(&made, js_, name(), nullptr, &options, &code);
    }
    subscription_.reset(made);
    if (status != NATS_OK) {
      fail("subscribe", status, code);
    }
    next_ = from;
    heard_ = Clock::now();
  }

  /// nullopt: nothing came. The subscription is gone if it has to be made anew.
  std::optional<LogEntry> next_message(std::uint64_t from, milliseconds wait) {
    const auto until = Clock::now() + wait;
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
      natsMsg* found = nullptr;
      const natsStatus status = natsSubscription_NextMsg(&found, subscription_.get(), std::max<std::int64_t>(left, 1));
      const Message message(found);
      if (status != NATS_OK) {
        if (status != NATS_TIMEOUT || Clock::now() - heard_ > kSilence) {
          subscription_.reset();
        }
        return std::nullopt;
      }
      heard_ = Clock::now();
      jsMsgMetaData* data = nullptr;
      const natsStatus known = natsMsg_GetMetaData(&data, found);
      const Owned<jsMsgMetaData, jsMsgMetaData_Destroy> meta(data);
      if (known != NATS_OK) {
        subscription_.reset();
        return std::nullopt;
      }
      const std::uint64_t number = meta->Sequence.Stream;
      if (number > from) {
        subscription_.reset();  // it left something out, or that was released
        return get(from);
      }
      if (number == from) {
        next_ = number + 1;
        LogEntry entry = entry_of(*message);
        entry.number = number;
        return entry;
      }
    }
  }

  jsCtx* js_;
  LastComplaint& complaint_;
  StreamSettings settings_;
  Subscription subscription_;
  std::uint64_t next_ = 0;  ///< number of the parcel that comes next there
  Clock::time_point heard_;
};

}  // namespace

class NatsConnection::Impl {
 public:
  explicit Impl(const ServerSettings& settings) {
    const std::vector<std::string> urls = split_urls(settings.urls);
    for (const std::string& url : urls) {
      if (const ServerInfo info = read_server_info(url); !info.version.empty()) {
        require_reliable(info, url);
      }
    }
    natsOptions* made = nullptr;
    require(natsOptions_Create(&made), settings);
    const Owned<natsOptions, natsOptions_Destroy> options(made);
    std::vector<const char*> servers;
    for (const std::string& url : urls) {
      servers.push_back(url.c_str());
    }
    require(natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())), settings);
    require(natsOptions_SetTimeout(made, kAnswerMs), settings);
    require(natsOptions_SetMaxReconnect(made, -1), settings);
    require(natsOptions_SetReconnectWait(made, 100), settings);
    require(natsOptions_SetFailRequestsOnDisconnect(made, true), settings);
    require(natsOptions_SetSendAsap(made, true), settings);
    require(natsOptions_SetErrorHandler(made, &LastComplaint::note, &complaint_), settings);
    if (!settings.credentials.empty()) {
      require(natsOptions_SetUserCredentialsFromFiles(made, settings.credentials.c_str(), nullptr), settings);
    }
    if (!settings.tls_ca.empty() || !settings.tls_cert.empty()) {
      require(natsOptions_SetSecure(made, true), settings);
    }
    if (!settings.tls_ca.empty()) {
      require(natsOptions_LoadCATrustedCertificates(made, settings.tls_ca.c_str()), settings);
    }
    if (!settings.tls_cert.empty()) {
      require(natsOptions_LoadCertificatesChain(made, settings.tls_cert.c_str(), settings.tls_key.c_str()), settings);
    }
    natsConnection* connection = nullptr;
    require(natsConnection_Connect(&connection, made), settings);
    connection_.reset(connection);
    jsOptions js_options;
    require(jsOptions_Init(&js_options), settings);
    js_options.Wait = kAnswerMs;
    jsCtx* js = nullptr;
    require(natsConnection_JetStream(&js, connection, &js_options), settings);
    js_.reset(js);
  }

  std::unique_ptr<Log> open(const StreamSettings& settings) {
    return std::make_unique<NatsLog>(js_.get(), complaint_, settings);
  }
  std::int64_t largest_message() const { return natsConnection_GetMaxPayload(connection_.get()); }

 private:
  static void require(natsStatus status, const ServerSettings& settings) {
    if (status == NATS_OK) {
      return;
    }
    const char* const more = nats_GetLastError(nullptr);
    const std::string text = "nats: cannot connect to " + settings.urls + ": " + natsStatus_GetText(status) +
                             (more != nullptr && *more != '\0' ? std::string(" (") + more + ")" : std::string());
    if (status == NATS_NO_SERVER || status == NATS_TIMEOUT || status == NATS_IO_ERROR ||
        status == NATS_CONNECTION_CLOSED) {
      throw LogUnreachable(text);
    }
    throw Error(text);
  }

  LastComplaint complaint_;  // outlives the connection, which calls it
  Owned<natsConnection, natsConnection_Destroy> connection_;
  Owned<jsCtx, jsCtx_Destroy> js_;
};

NatsConnection::NatsConnection(const ServerSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
NatsConnection::~NatsConnection() = default;
std::unique_ptr<Log> NatsConnection::open(const StreamSettings& settings) {
  return impl_->open(settings);
}
std::int64_t NatsConnection::largest_message() const {
  return impl_->largest_message();
}

}  // namespace pystream::nats
