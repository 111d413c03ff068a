#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

std::vector<StageType> catalog_in(const std::string& json) {
  auto result = read_catalog(json);
  if (auto* catalog = std::get_if<std::vector<StageType>>(&result)) {
    return std::move(*catalog);
  }
  ADD_FAILURE() << to_string(std::get<std::vector<PlanFault>>(result)[0], "catalog");
  return {};
}

Texts faults_of(const std::string& json) {
  const auto result = read_catalog(json);
  Texts texts;
  if (const auto* faults = std::get_if<std::vector<PlanFault>>(&result)) {
    for (const PlanFault& fault : *faults) {
      texts.push_back(to_string(fault, ""));
    }
  }
  return texts;
}

TEST(CatalogTest, EveryFieldComesBack) {
  StageType type = make_type("a.b", StageKind::sink, "in", "out",
                             {{.name = "p",
                               .type = ParamType::number,
                               .fallback = ParamValue(0.1),
                               .text = "a text",
                               .min = -0.5,
                               .max = 1e300},
                              {.name = "q", .fallback = ParamValue("x"), .choices = {"x", "y"}},
                              {.name = "r", .type = ParamType::duration, .fallback = ParamValue(5)},
                              {.name = "s", .type = ParamType::any, .fallback = ParamValue()},
                              {.name = "t", .type = ParamType::list},
                              {.name = "u", .file = FileUse::writes},
                              {.name = "v", .file = FileUse::names}});
  type.info.writes_standard_output = true;
  type.info.summary = "says \"what\"";
  type.cursor_bytes = 16;
  type.checkpoint_bytes = 4096;
  const std::vector<StageType> sut = catalog_in(write_catalog(std::span(&type, 1)));
  ASSERT_EQ(sut.size(), 1U);
  EXPECT_EQ(sut[0].name, "a.b");
  EXPECT_EQ(sut[0].kind, StageKind::sink);
  EXPECT_EQ(sut[0].info.summary, type.info.summary);
  EXPECT_EQ(sut[0].info.input, "in");
  EXPECT_EQ(sut[0].info.output, "out");
  EXPECT_TRUE(sut[0].info.writes_standard_output);
  EXPECT_EQ(sut[0].cursor_bytes, 16U);
  EXPECT_EQ(sut[0].checkpoint_bytes, 4096U);
  ASSERT_EQ(sut[0].info.params.size(), type.info.params.size());
  for (std::size_t i = 0; i < type.info.params.size(); ++i) {
    const ParamSpec& given = type.info.params[i];
    const ParamSpec& back = sut[0].info.params[i];
    EXPECT_EQ(back.name, given.name);
    EXPECT_EQ(back.type, given.type);
    EXPECT_EQ(back.fallback, given.fallback);
    EXPECT_EQ(back.text, given.text);
    EXPECT_EQ(back.min, given.min);
    EXPECT_EQ(back.max, given.max);
    EXPECT_EQ(back.choices, given.choices);
    EXPECT_EQ(back.file, given.file);
  }
}

TEST(CatalogTest, WrittenTwiceIsTheSame) {
  const std::string sut = write_catalog(types());
  EXPECT_EQ(write_catalog(catalog_in(sut)), sut);
  EXPECT_TRUE(catalog_in(write_catalog({})).empty());
}

TEST(CatalogTest, InfiniteBoundsAreNoBounds) {
  const StageType type = make_type("a", StageKind::stage, "any", "any",
                                   {{.name = "n",
                                     .type = ParamType::number,
                                     .fallback = ParamValue(1.0),
                                     .min = -std::numeric_limits<double>::infinity(),
                                     .max = std::numeric_limits<double>::infinity()}});
  const std::vector<StageType> sut = catalog_in(write_catalog(std::span(&type, 1)));
  EXPECT_EQ(sut.at(0).info.params.at(0).min, std::nullopt);
  EXPECT_EQ(sut.at(0).info.params.at(0).max, std::nullopt);
}

TEST(CatalogTest, FaultsOfForm) {
  EXPECT_EQ(faults_of("{"), Texts{"line 1, column 2: found unexpected end of input, expected string literal"});
  EXPECT_EQ(faults_of("[]"), Texts{"found an empty list, expected an object"});
  EXPECT_EQ(faults_of("{}").size(), 1U);
  EXPECT_EQ(faults_of(R"({"types": 3})"), Texts{"/types: found 3, expected a list"});
  EXPECT_EQ(faults_of(R"({"types": [3]})"), Texts{"/types/0: found 3, expected an object"});
  EXPECT_EQ(faults_of(R"({"types": [], "types": []})").size(), 1U);
}

TEST(CatalogTest, FaultsOfTypes) {
  EXPECT_EQ(faults_of(R"({"types": [{}]})").size(), 2U);
  EXPECT_EQ(faults_of(R"({"types": [{"name": "", "kind": "stage"}]})"),
            Texts{"/types/0/name: found \"\", expected a name of its own"});
  EXPECT_EQ(faults_of(R"({"types": [{"name": "a", "kind": "stage"}, {"name": "a", "kind": "sink"}]})"),
            Texts{"/types/1/name: found a second \"a\", expected a name of its own"});
  EXPECT_EQ(faults_of(R"({"types": [{"name": "a", "kind": "stge"}]})"),
            Texts{"/types/0/kind: found \"stge\", expected \"source\", \"stage\" or \"sink\" (did you mean "
                  "\"stage\"?)"});
  EXPECT_EQ(faults_of(R"({"types": [{"name": "a", "kind": "stage", "cursor_bytes": 1e18}]})").size(), 1U);
  EXPECT_EQ(faults_of(R"({"types": [{"name": "a", "kind": "stage", "make": 1}]})").size(), 1U);
}

TEST(CatalogTest, FaultsOfParams) {
  const auto faults = [](const std::string& param) {
    return faults_of(R"({"types": [{"name": "a", "kind": "stage", "params": [)" + param + "]}]}");
  };
  EXPECT_EQ(faults(R"({"name": "p", "type": "string"}, {"name": "p", "type": "string"})"),
            Texts{"/types/0/params/1/name: found a second \"p\", expected a name of its own"});
  EXPECT_EQ(faults(R"({"name": "p", "type": "strng"})").size(), 1U);
  EXPECT_EQ(faults(R"({"name": "p", "type": "string", "choices": ["a", 1]})"),
            Texts{"/types/0/params/0/choices/1: found 1, expected a string"});
  EXPECT_EQ(faults(R"({"name": "p", "type": "integer", "min": 3, "default": 2})"),
            Texts{"/types/0/params/0/default: found 2, expected an integer of at least 3"});
  EXPECT_EQ(faults(R"({"name": "p", "type": "integer", "min": "low"})").size(), 1U);
}

}  // namespace
}  // namespace pystream::plan::test
