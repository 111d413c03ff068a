#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/commands.hpp"
#include "coord/service_manager.hpp"
#include "plan/json.hpp"
#include "profile/home.hpp"
#include "serve/http_server.hpp"
#include "serve/service.hpp"

namespace pystream::cli {
namespace {

struct ServeOptions {
  std::string listen = "127.0.0.1:8080";
  std::vector<std::string> hosts;
  std::string certificate;
  std::string key;
  bool behind_proxy = false;
  bool allow_control = false;
  bool need_token = false;
  std::string folder;
};

/// Of "127.0.0.1:8080" or "[::1]:8080".
serve::Listen place_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  serve::Listen place;
  const bool digits = colon != std::string::npos && colon + 1 < text.size() && text.size() - colon <= 6 &&
                      text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  place.port = digits ? std::stoi(text.substr(colon + 1)) : -1;
  place.address = digits ? text.substr(0, colon) : "";
  if (place.address.starts_with('[') && place.address.ends_with(']')) {
    place.address = place.address.substr(1, place.address.size() - 2);
  }
  if (place.address.empty() || place.port < 0 || place.port > 65535) {
    throw BadUsage("--listen: found " + plan::in_quotes(text) +
                   ", expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080");
  }
  return place;
}

/// An unencrypted connection shows items, and the token that controls pipelines, to everyone on its way.
void refuse_open_address(const ServeOptions& options, const serve::Listen& place) {
  if (options.certificate.empty() != options.key.empty()) {
    throw BadUsage("--certificate and --key need one another");
  }
  if (serve::is_loopback(place.address)) {
    return;
  }
  if (options.certificate.empty() && !options.behind_proxy) {
    throw BadUsage("--listen " + options.listen +
                   ": others can reach this address; it needs TLS (--certificate and --key), or a proxy that brings "
                   "it (--behind-proxy)");
  }
  if (options.hosts.empty()) {
    throw BadUsage("--listen " + options.listen +
                   ": say with --host under which name browsers reach it, such as --host pipelines.example.org");
  }
}

serve::Access access_of(const ServeOptions& options, const serve::Listen& place, int port) {
  const bool tls = !options.certificate.empty();
  serve::Access access{.hosts = serve::allowed_hosts(place.address, port, options.hosts),
                       .schemes = {tls ? "https" : "http"},
                       .token = options.allow_control || options.need_token ? serve::random_token() : "",
                       .allow_control = options.allow_control,
                       .token_for_reading = options.need_token};
  if (options.behind_proxy) {
    access.schemes = {"http", "https"};
  }
  return access;
}

/// As browsers reach it.
std::string shown_host(const ServeOptions& options, const serve::Listen& place, int port) {
  if (options.behind_proxy && !options.hosts.empty()) {
    return options.hosts.front();
  }
  const std::string name = options.hosts.empty() ? place.address : options.hosts.front();
  const bool bare_v6 = options.hosts.empty() && name.find(':') != std::string::npos;
  const bool has_port = !options.hosts.empty() && name.find(':') != std::string::npos;
  return (bare_v6 ? "[" + name + "]" : name) + (has_port ? "" : ":" + std::to_string(port));
}

/// Ends the server on SIGINT, SIGTERM and SIGHUP, which every other thread has blocked.
class StopOnSignal {
 public:
  explicit StopOnSignal(serve::HttpServer& server) {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      ::sigaddset(&signals_, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this, &server] {
      int signal = 0;
      ::sigwait(&signals_, &signal);
      server.stop();
    });
  }
  ~StopOnSignal() {
    ::pthread_kill(thread_.native_handle(), SIGTERM);  // where the server ended by itself
    thread_.join();
  }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  sigset_t signals_{};
  std::thread thread_;
};

int run_server(const ServeOptions& options) {
  if (!serve::HttpServer::available()) {
    throw Error(
        "this pystream was built without its web server; install libcpp-httplib-dev and build it again (Meson option "
        "serve)");
  }
  coord::ServiceManager service_manager(coord::ServiceVariables::take(), ::getpid(), warn);
  serve::Listen place = place_of(options.listen);
  refuse_open_address(options, place);
  place.certificate = options.certificate;
  place.key = options.key;
  std::unique_ptr<serve::Service> service;
  serve::HttpServer server([&](const serve::Request& request) { return service->answer(request); });
  server.listen(place);
  const serve::Access access = access_of(options, place, server.port());
  serve::PageFiles page(serve::find_page(), serve::page_libraries());
  for (const std::string& missing : page.missing()) {
    warn("the page shows no graphs and charts without " + missing + "; install node-d3");
  }
  service =
      std::make_unique<serve::Service>(serve::ServiceSetup{.access = access,
                                                           .folder = profile::profiler_folder(options.folder),
                                                           .program = std::filesystem::read_symlink("/proc/self/exe"),
                                                           .page = std::move(page)});
  const StopOnSignal stop(server);
  service_manager.ready("serving");
  print(access.schemes.back() + "://" + shown_host(options, place, server.port()) + "/" +
        (access.token.empty() ? "" : "#token=" + access.token) + "\n");
  server.run();
  service_manager.stopping("stopped");
  return kDone;
}

}  // namespace

void add_serve(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(
      app, "serve", "Show running pipelines, past runs and dead letters as a web page, and metrics for Prometheus",
      "  pystream-coord serve\n"
      "  pystream-coord serve --listen 127.0.0.1:0 --allow-control\n"
      "  pystream-coord serve --listen 0.0.0.0:8443 --certificate cert.pem \\\n"
      "      --key key.pem --host pipelines.example.org --need-token\n"
      "\nIt prints the address of the page. Without --allow-control it only reads. Every user of this machine can "
      "read what it shows, unless --need-token is given. Another address than the loopback interface's needs TLS or "
      "a proxy that brings it.");
  const auto options = std::make_shared<ServeOptions>();
  command.add_option("--listen", options->listen, "Address and port; port 0: one that is free")
      ->capture_default_str()
      ->type_name("ADDRESS:PORT");
  command.add_option("--host", options->hosts, "A name under which browsers may ask; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command.add_option("--certificate", options->certificate, "TLS certificate (chain) in PEM format")->type_name("FILE");
  command.add_option("--key", options->key, "Its private key")->type_name("FILE");
  command.add_flag("--behind-proxy", options->behind_proxy, "A proxy in front of it does TLS");
  command.add_flag("--allow-control", options->allow_control,
                   "The page may stop pipelines and replay dead letters, with the token that is printed once");
  command.add_flag("--need-token", options->need_token, "Reading needs the token, too");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return run_server(*options); }; });
}

}  // namespace pystream::cli
