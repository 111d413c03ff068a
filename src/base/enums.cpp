#include <pystream/enums.hpp>

namespace pystream {

std::string_view to_string(StageKind kind) {
  switch (kind) {
    case StageKind::source:
      return "source";
    case StageKind::stage:
      return "stage";
    case StageKind::sink:
      return "sink";
  }
  return "stage";
}

std::string_view to_string(Overflow overflow) {
  switch (overflow) {
    case Overflow::block:
      return "block";
    case Overflow::drop_newest:
      return "drop_newest";
    case Overflow::drop_oldest:
      return "drop_oldest";
  }
  return "block";
}

std::string_view to_string(OnCrash on_crash) {
  switch (on_crash) {
    case OnCrash::replay:
      return "replay";
    case OnCrash::skip:
      return "skip";
    case OnCrash::fail:
      return "fail";
  }
  return "replay";
}

std::string_view to_string(OnError on_error) {
  switch (on_error) {
    case OnError::dead_letter:
      return "dead_letter";
    case OnError::skip:
      return "skip";
    case OnError::retry:
      return "retry";
    case OnError::fail:
      return "fail";
  }
  return "dead_letter";
}

std::string_view to_string(ShareBy share) {
  switch (share) {
    case ShareBy::turn:
      return "turn";
    case ShareBy::least_loaded:
      return "least_loaded";
    case ShareBy::key:
      return "key";
  }
  return "turn";
}

std::string_view to_string(Join join) {
  switch (join) {
    case Join::zip:
      return "zip";
    case Join::merge:
      return "merge";
    case Join::first:
      return "first";
    case Join::none:
      return "none";
  }
  return "zip";
}

}  // namespace pystream
