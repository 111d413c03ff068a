#pragma once

#include <cstdint>
#include <pystream/error.hpp>
#include <string>

namespace pystream::shm {

/// A link contains something that its other end cannot have written: its memory was damaged.
class LinkCorrupt : public Error {
 public:
  /// `damage`: "is damaged at …".
  LinkCorrupt(std::uint32_t link, const std::string& damage)
      : Error("link " + std::to_string(link) + " " + damage), link_(link), damage_(damage) {}
  /// The same error with the link's name.
  LinkCorrupt(std::uint32_t link, const std::string& name, const std::string& damage)
      : Error("link " + name + " " + damage), link_(link), damage_(damage) {}
  /// Index in the segment.
  std::uint32_t link() const { return link_; }
  /// Without the link, for those who know its name.
  const std::string& damage() const { return damage_; }

 private:
  std::uint32_t link_;
  std::string damage_;
};

}  // namespace pystream::shm
