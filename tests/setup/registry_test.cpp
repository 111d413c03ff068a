#include <gtest/gtest.h>

#include <pystream/registry.hpp>

namespace pystream {
namespace {

/// What a plugin and the library share. If this turns red, or a virtual function of StageAdapter, Output,
/// CheckpointBase or AsyncStage was added, moved or changed: raise the number in detail::kPluginInterface, then mend
/// the line.
TEST(PluginInterfaceTest, IsRaisedWithEachChangeOfWhatCrosses) {
  EXPECT_EQ(detail::kPluginInterface >> 48, 6U);
  EXPECT_EQ(sizeof(StageType), 248U);
  EXPECT_EQ(sizeof(StageInfo), 160U);
  EXPECT_EQ(sizeof(ParamSpec), 184U);
  EXPECT_EQ(sizeof(ParamValue), 40U);
  EXPECT_EQ(sizeof(Params), 24U);
  EXPECT_EQ(sizeof(Item), 48U);
  EXPECT_EQ(sizeof(ValueType), 32U);
  EXPECT_EQ(sizeof(detail::ItemRun), 80U);
  EXPECT_EQ(sizeof(detail::RunSizes), 24U);
}

}  // namespace
}  // namespace pystream
