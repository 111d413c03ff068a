#include "plan/json.hpp"
#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

/// What stands at the end of a row of keys.
const ParamValue* at(const ParamValue* value, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    value = value == nullptr ? nullptr : find_key(*value, key);
  }
  return value;
}

ParamValue schema() {
  return parse_json(plan_schema(types())).value;
}

TEST(SchemaTest, IsDraft2020WithThePlansKeys) {
  const ParamValue sut = schema();
  EXPECT_EQ(*at(&sut, {"$schema"}), ParamValue("https://json-schema.org/draft/2020-12/schema"));
  for (const char* key :
       {"mode", "plugins", "source", "stages", "sink", "links", "profiler", "restarts", "name", "cluster"}) {
    EXPECT_NE(at(&sut, {"properties", key}), nullptr) << key;
  }
  EXPECT_EQ(*at(&sut, {"required"}), ParamValue(ParamList{"source", "stages", "sink"}));
  EXPECT_EQ(*at(&sut, {"additionalProperties"}), ParamValue(false));
}

TEST(SchemaTest, PipelinesContainTheirKindOfMembers) {
  const ParamValue sut = schema();
  EXPECT_EQ(*at(&sut, {"properties", "stages", "$ref"}), ParamValue("#/$defs/members"));
  EXPECT_EQ(*at(&sut, {"$defs", "members", "items", "$ref"}), ParamValue("#/$defs/member"));
  EXPECT_EQ(*at(&sut, {"$defs", "member", "then", "$ref"}), ParamValue("#/$defs/pipeline"));
  EXPECT_EQ(*at(&sut, {"$defs", "member", "else", "$ref"}), ParamValue("#/$defs/stage"));
  EXPECT_EQ(*at(&sut, {"$defs", "pipeline", "properties", "stages", "$ref"}), ParamValue("#/$defs/members"));
}

/// The schema of the parameters of a stage type.
const ParamValue* params_of(const ParamValue& schema, const char* kind, const char* type) {
  const ParamValue* rules = at(&schema, {"$defs", kind, "allOf"});
  const auto* list = rules == nullptr ? nullptr : std::get_if<ParamList>(rules);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    if (*at(&(*list)[i], {"if", "properties", "type", "const"}) == ParamValue(type)) {
      return at(&(*list)[i], {"then", "properties", "params"});
    }
  }
  return nullptr;
}

TEST(SchemaTest, EachTypeHasItsParams) {
  const ParamValue sut = schema();
  const ParamValue* resize = params_of(sut, "stage", "image.resize");
  ASSERT_NE(resize, nullptr);
  EXPECT_EQ(*at(resize, {"required"}), ParamValue(ParamList{"width"}));
  EXPECT_EQ(*at(resize, {"properties", "width", "type"}), ParamValue("integer"));
  EXPECT_EQ(*at(resize, {"properties", "width", "minimum"}), ParamValue(1));
  EXPECT_EQ(*at(resize, {"properties", "width", "maximum"}), ParamValue(10000));
  const ParamValue* convolve = params_of(sut, "stage", "image.convolve");
  EXPECT_EQ(*at(convolve, {"properties", "kernel", "enum"}), ParamValue(ParamList{"sharpen", "blur"}));
  EXPECT_EQ(*at(convolve, {"properties", "kernel", "default"}), ParamValue("sharpen"));
  EXPECT_NE(params_of(sut, "source", "files"), nullptr);
  EXPECT_NE(params_of(sut, "sink", "null"), nullptr);
  EXPECT_EQ(params_of(sut, "stage", "files"), nullptr);
}

TEST(SchemaTest, EveryReferenceHasItsDefinition) {
  const std::string text = plan_schema(types());
  const ParamValue sut = schema();
  const std::string mark = "\"#/$defs/";
  std::size_t references = 0;
  for (std::size_t i = text.find(mark); i != std::string::npos; i = text.find(mark, i + 1)) {
    const std::size_t start = i + mark.size();
    const std::string name = text.substr(start, text.find('"', start) - start);
    EXPECT_NE(at(&sut, {"$defs", name.c_str()}), nullptr) << name;
    ++references;
  }
  EXPECT_GT(references, 5U);
}

TEST(SchemaTest, KeysHaveTheDefaultsThatPlansGet) {
  const ParamValue sut = schema();
  const auto default_of = [&](const char* definition, const char* key) {
    const ParamValue* value = at(&sut, {"$defs", definition, "properties", key, "default"});
    return value == nullptr ? ParamValue() : *value;
  };
  EXPECT_EQ(default_of("stage", "on_error"), ParamValue("dead_letter"));
  EXPECT_EQ(default_of("source", "on_error"), ParamValue("fail"));
  EXPECT_EQ(default_of("stage", "start_timeout"), ParamValue("1min"));
  EXPECT_EQ(default_of("stage", "replicas"), ParamValue(1));
  EXPECT_EQ(default_of("stage", "share"), ParamValue("turn"));
  EXPECT_EQ(default_of("stage", "timeout"), ParamValue()) << "there is no deadline";
  EXPECT_EQ(default_of("capacity", "time"), ParamValue("100ms"));
  EXPECT_EQ(default_of("capacity", "bytes"), ParamValue("64MiB"));
  EXPECT_EQ(default_of("profiler", "max_history"), ParamValue(100'000));
  EXPECT_EQ(default_of("restarts", "backoff_first"), ParamValue("10ms"));
}

TEST(SchemaTest, EveryKeyIsDescribed) {
  const ParamValue sut = schema();
  for (const char* definition :
       {"capacity", "link", "limits", "profiler", "restarts", "source", "stage", "sink", "pipeline"}) {
    const auto* keys = std::get_if<ParamMap>(at(&sut, {"$defs", definition, "properties"}));
    ASSERT_NE(keys, nullptr) << definition;
    for (const auto& [key, value] : *keys) {
      EXPECT_NE(at(&value, {"description"}), nullptr) << definition << "." << key;
    }
  }
}

TEST(SchemaTest, WithoutTypesItIsStillASchema) {
  const ParamValue sut = parse_json(plan_schema({})).value;
  EXPECT_EQ(at(&sut, {"$defs", "stage", "allOf"}), nullptr);
  EXPECT_EQ(*at(&sut, {"$defs", "stage", "properties", "type", "type"}), ParamValue("string"));
}

}  // namespace
}  // namespace pystream::plan::test
