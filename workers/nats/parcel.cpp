#include "nats/parcel.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "nats/log_error.hpp"

namespace pystream::nats {
namespace {

constexpr std::string_view kMagic = "PSLP";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kEnd = 1;
constexpr std::size_t kSmallestItem = 4;  ///< in a parcel

class Writer {
 public:
  void text(std::string_view text) {
    const auto* const data = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), data, data + text.size());
  }
  void bytes(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void fixed(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) {
      bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  }
  void sized_text(const std::string& text) {
    if (text.size() > 0xffff) {
      throw Error("a name in a parcel has " + std::to_string(text.size()) + " bytes; at most 65535 are possible");
    }
    fixed(text.size(), 2);
    this->text(text);
  }
  void varying(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_.push_back(static_cast<std::byte>(value | 0x80));
    }
    bytes_.push_back(static_cast<std::byte>(value));
  }
  void reserve(std::size_t size) { bytes_.reserve(size); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> untrusted) : left_(untrusted) {}

  std::span<const std::byte> bytes(std::uint64_t size) {
    if (size > left_.size()) {
      throw LogUnusable("a parcel is damaged: it ends " + std::to_string(size - left_.size()) + " bytes too early");
    }
    const auto taken = left_.first(static_cast<std::size_t>(size));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  std::string text(std::size_t size) {
    const auto taken = bytes(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::uint64_t fixed(int size) {
    std::uint64_t value = 0;
    int shift = 0;
    for (const std::byte byte : bytes(static_cast<std::uint64_t>(size))) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return value;
  }
  std::uint64_t varying() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(bytes(1).front());
      if (shift == 63 && byte > 1) {
        break;
      }
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        return value;
      }
    }
    throw LogUnusable("a parcel is damaged: a number in it has more than 64 bits");
  }
  std::size_t left() const { return left_.size(); }

 private:
  std::span<const std::byte> left_;
};

/// Differences may be negative; modulo 2^64, so that no input overflows.
std::uint64_t zigzag(std::uint64_t difference) {
  return difference << 1 ^ (difference >> 63 != 0 ? ~std::uint64_t{0} : 0);
}
std::uint64_t unzigzag(std::uint64_t value) {
  return value >> 1 ^ ((value & 1) != 0 ? ~std::uint64_t{0} : 0);
}

Position read_position(Reader& in) {
  Position position;
  position.sequence = in.fixed(8);
  position.outputs = in.fixed(8);
  return position;
}

}  // namespace

std::string to_string(const Position& position) {
  return "input " + std::to_string(position.sequence) + ", output " + std::to_string(position.outputs);
}

Position behind_output(const Position& position, std::uint64_t sequence) {
  return {sequence, sequence == position.sequence ? position.outputs + 1 : 1};
}

std::vector<std::byte> encode_parcel(const ParcelHeader& header, std::span<const ParcelItem> items) {
  std::size_t size = 64 + header.identity.item_type.size() + header.identity.plan_hash.size();
  for (const ParcelItem& item : items) {
    size += item.bytes.size() + 16;
  }
  Writer out;
  out.reserve(size);
  out.text(kMagic);
  out.fixed(kVersion, 1);
  out.fixed(header.end ? kEnd : 0, 1);
  out.fixed(header.epoch, 8);
  for (const Position& position : {header.from, header.upto}) {
    out.fixed(position.sequence, 8);
    out.fixed(position.outputs, 8);
  }
  out.fixed(items.size(), 4);
  out.sized_text(header.identity.item_type);
  out.sized_text(header.identity.plan_hash);
  std::uint64_t sequence = header.from.sequence;
  std::uint64_t entered = 0;
  for (const ParcelItem& item : items) {
    const auto its_entry = static_cast<std::uint64_t>(item.entered_ns);
    out.varying(item.sequence - sequence);
    out.varying(item.part);
    out.varying(zigzag(its_entry - entered));
    out.varying(item.bytes.size());
    out.bytes(item.bytes);
    sequence = item.sequence;
    entered = its_entry;
  }
  return out.take();
}

Parcel decode_parcel(std::span<const std::byte> untrusted) {
  Reader in(untrusted);
  if (untrusted.size() < kMagic.size() || in.text(kMagic.size()) != kMagic) {
    throw LogUnusable("what stands in the log is no parcel of pystream; does something else write to this stream?");
  }
  if (const std::uint64_t version = in.fixed(1); version != kVersion) {
    throw LogUnusable("a parcel has interface version " + std::to_string(version) + ", and this program knows " +
                      std::to_string(kVersion) + "; all parts of a plan need the same version of pystream");
  }
  Parcel parcel;
  const std::uint64_t flags = in.fixed(1);
  if ((flags & ~std::uint64_t{kEnd}) != 0) {
    throw LogUnusable("a parcel is damaged: it has the unknown flags " + std::to_string(flags));
  }
  parcel.header.end = flags == kEnd;
  parcel.header.epoch = in.fixed(8);
  parcel.header.from = read_position(in);
  parcel.header.upto = read_position(in);
  const std::uint64_t items = in.fixed(4);
  parcel.header.identity.item_type = in.text(in.fixed(2));
  parcel.header.identity.plan_hash = in.text(in.fixed(2));
  if (items > in.left() / kSmallestItem) {
    throw LogUnusable("a parcel is damaged: " + std::to_string(items) + " items do not fit into its bytes");
  }
  parcel.items.reserve(items);
  parcel.ends.reserve(items);
  Position position = parcel.header.from;
  std::uint64_t entered = 0;
  for (std::uint64_t i = 0; i < items; ++i) {
    ParcelItem item;
    const std::uint64_t ahead = in.varying();
    if (ahead > ~position.sequence) {
      throw LogUnusable("a parcel is damaged: the number of an item has more than 64 bits");
    }
    item.sequence = position.sequence + ahead;
    const std::uint64_t part = in.varying();
    if (part > 0xffffffffU) {
      throw LogUnusable("a parcel is damaged: the part of an item is " + std::to_string(part));
    }
    item.part = static_cast<std::uint32_t>(part);
    entered += unzigzag(in.varying());
    item.entered_ns = static_cast<std::int64_t>(entered);
    item.bytes = in.bytes(in.varying());
    position = behind_output(position, item.sequence);
    parcel.items.push_back(item);
    parcel.ends.push_back(position);
  }
  if (in.left() != 0) {
    throw LogUnusable("a parcel is damaged: " + std::to_string(in.left()) + " bytes follow its last item");
  }
  if (parcel.header.upto < position) {
    throw LogUnusable("a parcel is damaged: its items end behind " + to_string(parcel.header.upto));
  }
  return parcel;
}

}  // namespace pystream::nats
