#include "base/display_text.hpp"

#include <gtest/gtest.h>

namespace pystream::base {
namespace {

TEST(DisplayTextTest, WidthCountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("Größe"), 5U);
  EXPECT_EQ(display_width("映像"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("\xff\xfe"), 2U);
}

TEST(DisplayTextTest, NothingThatATerminalObeysIsLeft) {
  EXPECT_EQ(printable_line("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(printable_line("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
  EXPECT_EQ(printable_line("one\r\ntwo\tthree"), "one\\r\\ntwo\\tthree");
  EXPECT_EQ(printable_line("\u009b31m"), "\\u009b31m") << "a control sequence in one character";
  EXPECT_EQ(printable_line("\u202etxt.exe"), "\\u202etxt.exe") << "writes backwards";
  EXPECT_EQ(printable_line("\xc3(\x9b"), "\\xc3(\\x9b") << "no UTF-8";
  EXPECT_EQ(printable_line("Größe 映像 €"), "Größe 映像 €");
  EXPECT_EQ(printable_text("one\n\ttwo\x1b"), "one\n\ttwo\\x1b");
}

TEST(DisplayTextTest, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(valid_utf8("ok ö"), "ok ö");
  EXPECT_EQ(valid_utf8("a\xff"), "a\ufffd");
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd") << "half of a surrogate pair";
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\ufffd\ufffd") << "a slash in two bytes";
}

TEST(DisplayTextTest, ShortenedInTheMiddle) {
  EXPECT_EQ(shortened_middle("Detect", 6), "Detect");
  EXPECT_EQ(shortened_middle("DetectPedestrians", 9), "Dete..ans");
  EXPECT_EQ(shortened_middle("映像映像映像", 8), "映..像") << "wide characters are not cut in two";
  EXPECT_EQ(shortened_middle("abcdef", 2), "ab");
}

TEST(DisplayTextTest, ShortenedAtTheEnd) {
  EXPECT_EQ(shortened_end("a reason", 8), "a reason");
  EXPECT_EQ(shortened_end("a long reason", 8), "a lon...");
  EXPECT_EQ(shortened_end("ööööö", 4), "ö...");
}

TEST(DisplayTextTest, Wrapping) {
  EXPECT_EQ(wrapped("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrapped("unbreakable", 4, 2), "unbreakable");
  EXPECT_EQ(wrapped("", 4, 2), "");
}

}  // namespace
}  // namespace pystream::base
