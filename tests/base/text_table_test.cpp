#include "base/text_table.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "base/display_text.hpp"

namespace pystream::base {
namespace {

using Cut = TextTable::Cut;

TextTable stages(const std::string& name, int rows = 1) {
  TextTable table({{.title = "stage", .cut = Cut::middle},
                   {.title = "items", .right = true},
                   {.title = "p50", .right = true, .drop = 2},
                   {.title = "p99", .right = true, .drop = 1}});
  for (int i = 0; i < rows; ++i) {
    table.add({name, "12", "1 ms", "3 ms"});
  }
  return table;
}

std::size_t widest(const std::string& text) {
  std::size_t width = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    width = std::max(width, display_width(line));
  }
  return width;
}

TEST(TextTableTest, ColumnsAreAligned) {
  EXPECT_EQ(stages("Decode").text({}),
            "stage   items   p50   p99\n"
            "Decode     12  1 ms  3 ms\n");
}

TEST(TextTableTest, WithoutATerminalNothingIsCut) {
  const std::string name(200, 'x');
  EXPECT_NE(stages(name).text({}).find(name), std::string::npos);
}

TEST(TextTableTest, EveryWidthIsKept) {
  for (const char* name :
       {"A", "AVeryLongNameOfAStage.AndOfOneThatStandsInside.OfIt", "Größe映像映像映像映像映像映像"}) {
    for (std::size_t width = 1; width < 90; ++width) {
      EXPECT_LE(widest(stages(name, 3).text({.width = width})), width) << name;
    }
  }
}

TEST(TextTableTest, TheLeastImportantColumnsGoFirst) {
  const TextTable sut = stages("Decode");
  EXPECT_EQ(sut.text({.width = 20}), "stage   items   p99\nDecode     12  3 ms\n");
  EXPECT_EQ(sut.text({.width = 18}), "stage   items\nDecode     12\n");
}

TEST(TextTableTest, NamesAreShortenedBeforeColumnsGoAndTakeWhatTheseLeave) {
  const std::string name = "ANameOfFortyCharactersWhichIsTooLongHere";
  const std::string shown = stages(name).text({.width = 50});
  EXPECT_NE(shown.find("ANameOf"), std::string::npos) << shown;
  EXPECT_NE(shown.find("LongHere"), std::string::npos) << "both ends tell stages apart\n" << shown;
  EXPECT_NE(shown.find("p50"), std::string::npos) << shown;
  EXPECT_EQ(widest(shown), 50U);
}

TEST(TextTableTest, CellsDoNotObeyAndStayOnTheirLine) {
  TextTable sut({{.title = "reason"}});
  sut.add({"two\nlines \x1b[31mred"});
  EXPECT_EQ(sut.text({}), "reason\ntwo\\nlines \\x1b[31mred\n");
}

TEST(TextTableTest, RowsHaveColourOnlyWhereItIsWanted) {
  TextTable sut({{.title = "a"}});
  sut.add({"b"}, "\x1b[33m");
  EXPECT_EQ(sut.text({}), "a\nb\n");
  EXPECT_EQ(sut.text({.colour = true}), "\x1b[1ma\x1b[0m\n\x1b[33mb\x1b[0m\n");
}

}  // namespace
}  // namespace pystream::base
