#include "worker/process_name.hpp"

#include <gtest/gtest.h>

namespace pystream::worker {
namespace {

TEST(ProcessNameTest, IsTheStageWithoutTheMainPipeline) {
  EXPECT_EQ(process_name("MainPipeline__Resize"), "Resize");
  EXPECT_EQ(process_name("MainPipeline__Enhance__A"), "Enhance__A");
  EXPECT_EQ(process_name("MainPipeline"), "MainPipeline");
}

TEST(ProcessNameTest, IsTheLastPartWhereAllOfItIsTooLong) {
  EXPECT_EQ(process_name("MainPipeline__Enhance__Resize__Sharpen"), "Sharpen");
  EXPECT_EQ(process_name("MainPipeline__Enhance__SomethingVeryLongIndeed"), "SomethingVeryLo");
}

}  // namespace
}  // namespace pystream::worker
