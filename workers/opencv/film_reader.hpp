#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "opencv/film_index.hpp"
#include "opencv/image.hpp"
#include "opencv/libav.hpp"

namespace pystream::opencv {

/// What could not be read of a film, so far.
struct FilmDamage {
  std::uint64_t unreadable_packets = 0;  ///< gave no frame
  std::uint64_t damaged_frames = 0;      ///< were decoded with errors: a part of the picture is made up
  std::uint64_t breaks = 0;              ///< places where the file's structure is damaged; what lies there is unknown
  bool cut_off = false;                  ///< the file ends before its own structure does; known at its end
  std::uint64_t missing_frames = 0;      ///< that the file announces and has not; known at its end
  bool any() const { return cut_off || unreadable_packets + damaged_frames + breaks + missing_frames > 0; }
};
/// "2 packets could not be decoded, 5 frames were decoded with errors"
std::string to_string(const FilmDamage& damage);

/// Decodes a film frame by frame and goes on behind whatever cannot be decoded. One thread: with several, libavcodec
/// conceals damage each time in another way, and a restarted worker has to see the same frames.
class FilmReader {
 public:
  /// `name` is what messages call the film. Throws Error.
  FilmReader(const std::string& path, std::string name);

  /// Decodes the next frame; false at the end. Throws Error if the file cannot be read any more (an I/O error).
  bool next();
  /// Of the frame of the last next(): 8 bits, 3 channels, turned as the film asks for.
  PlaneShape shape() const;
  /// `to` must have that shape.
  void copy_to(cv::Mat& to);

  const FilmDamage& damage() const { return damage_; }
  /// The first fault that was found since the last call, for people; empty if there is none.
  std::string take_fault();

 private:
  enum class Received { frame, needs_packet, end };
  Received receive();
  void feed();
  bool read_packet();
  void require_readable() const;
  void end();
  void add_missing_frames();
  void note_fault(const std::string& what);

  std::string name_;
  AvInput input_;
  AvCodec decoder_;
  AvScaler scaler_;
  AvPacket packet_ = new_packet();
  AvFrame frame_ = new_frame();
  AvFrame picture_ = new_frame();  ///< the frame as BGR, with rows at addresses that suit libswscale
  int stream_ = -1;
  int quarter_turns_ = 0;
  ReadPackets read_;
  std::set<std::int64_t> with_errors_;  ///< packets in which the decoder found errors; their frames may come later
  int failures_ = 0;                    ///< of reading or decoding, one after another
  bool ended_ = false;
  FilmDamage damage_;
  std::string fault_;
  std::string fault_while_opening_;
};

/// How many frames a film holds, undecoded; 0 if it cannot be read at all.
std::uint64_t count_frames(const std::string& path);

}  // namespace pystream::opencv
