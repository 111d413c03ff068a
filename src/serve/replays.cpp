#include "serve/replays.hpp"

#include <algorithm>
#include <exception>
#include <pystream/error.hpp>
#include <utility>

#include "base/child_process.hpp"
#include "base/escaped_text.hpp"

namespace pystream::serve {
namespace {

constexpr std::size_t kMostKept = 20;
constexpr std::size_t kMostSaid = 16 << 10;
constexpr std::chrono::minutes kDeadline{60};

}  // namespace

Replays::Replays(std::filesystem::path program, std::filesystem::path folder)
    : program_(std::move(program)), folder_(std::move(folder)) {}

Replays::~Replays() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::uint64_t Replays::start(std::int64_t run, std::vector<std::int64_t> letters, bool remove) {
  const std::lock_guard lock(mutex_);
  if (!replays_.empty() && replays_.back().running) {
    throw Error("a replay is running; wait for its end");
  }
  if (thread_.joinable()) {
    thread_.join();  // its work is done
  }
  std::vector<std::string> arguments{program_.string(), "dead-letters", "replay", "@run"};
  for (const std::int64_t letter : letters) {
    arguments.push_back(std::to_string(letter));
  }
  for (const std::string& more : {std::string("--folder"), folder_.string(), std::string("--into"),
                                  (folder_ / "replays").string(), std::string("--accept-dead-letters")}) {
    arguments.push_back(more);
  }
  if (remove) {
    arguments.emplace_back("--remove");
  }
  const std::uint64_t id = next_++;
  replays_.push_back({.id = id, .run = run, .letters = std::move(letters)});
  while (replays_.size() > kMostKept) {
    replays_.pop_front();
  }
  thread_ =
      std::thread([this, id, arguments = std::move(arguments)]() mutable { this->run(id, std::move(arguments)); });
  return id;
}

void Replays::run(std::uint64_t id, std::vector<std::string> arguments) {
  int code = 1;
  std::string said;
  try {
    const base::ChildResult result = base::run_child({.arguments = std::move(arguments),
                                                      .environment = {"PYSTREAM_PROFILES=" + folder_.string()},
                                                      .deadline = kDeadline});
    code = result.end == base::ChildResult::End::exited ? result.code : 1;
    said = result.errors + result.output;
    if (result.end != base::ChildResult::End::exited) {
      said += "the replay " + base::describe_end(result);
    }
  } catch (const std::exception& error) {
    said = error.what();
  }
  if (said.size() > kMostSaid) {
    said.resize(kMostSaid);
  }
  const std::lock_guard lock(mutex_);
  for (Replay& replay : replays_) {
    if (replay.id == id) {
      replay.running = false;
      replay.code = code;
      replay.said = said;
    }
  }
}

std::vector<Replays::Replay> Replays::list() const {
  const std::lock_guard lock(mutex_);
  return {replays_.begin(), replays_.end()};
}

std::string to_json(const std::vector<Replays::Replay>& replays) {
  std::string out = "[";
  for (const Replays::Replay& replay : replays) {
    out += (out.size() > 1 ? ",\n " : "") + std::string("{\"replay\": ") + std::to_string(replay.id) +
           ", \"run\": " + std::to_string(replay.run) + ", \"letters\": [";
    for (const std::int64_t& letter : replay.letters) {
      out += (&letter == replay.letters.data() ? "" : ", ") + std::to_string(letter);
    }
    out += std::string("], \"running\": ") + (replay.running ? "true" : "false") +
           ", \"code\": " + std::to_string(replay.code) + ", \"said\": " + base::json_string(replay.said) + "}";
  }
  return out + "]\n";
}

}  // namespace pystream::serve
