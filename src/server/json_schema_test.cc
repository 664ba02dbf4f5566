// Grammars from schemas, GBNF and regular expressions: what they take, what they refuse.
#include "server/json_schema.h"

#include <gtest/gtest.h>

#include <random>

#include "server/automaton.h"
#include "server/fields.h"
#include "server/gbnf.h"

namespace freehold::server {
namespace {

bool takes(Automaton& automaton, std::string_view text) {
  auto state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<uint8_t>(c));
  return state != Automaton::kDead && automaton.accepting(state);
}

struct SchemaCase {
  const char* schema;
  std::vector<const char*> good;
  std::vector<const char*> bad;
};

TEST(JsonSchema, TakesWhatIsValidAndNothingElse) {
  const SchemaCase cases[] = {
      {R"({"type":"integer"})", {"0", "-1", "42"}, {"01", "1.5", "", "-", "\"1\""}},
      {R"({"type":"integer","minimum":-3,"maximum":120})",
       {"-3", "0", "9", "99", "120"},
       {"-4", "121", "200", "-10", "007"}},
      {R"({"type":"integer","exclusiveMinimum":0})", {"1", "1000"}, {"0", "-1"}},
      {R"({"type":"integer","multipleOf":7})", {"0", "7", "-14", "700"}, {"1", "-0", "15"}},
      {R"({"type":"number","minimum":0,"maximum":2})",
       {"0", "1", "2", "0.5", "1.75"},
       {"2.1", "-0.1", "3"}},
      {R"({"type":"number","minimum":0.5,"maximum":0.7})", {"0.5", "0.6", "0.7"}, {"0", "0.8"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("日本語")", R"("a\n")"},
       {R"("a")", R"("abcd")", "\"a\nb\""}},
      {R"({"type":"string","pattern":"^[a-c]+\\d{2}$"})",
       {R"("abc12")"},
       {R"("abcd12")", R"("a1")"}},
      {R"({"type":"string","pattern":"b"})", {R"("b")", R"("xbx")"}, {R"("x")"}},
      {R"({"type":"string","format":"date"})", {R"("2026-11-21")"}, {R"("2026-13-01")"}},
      {R"({"enum":["a",1,null,{"x":[]}]})", {R"("a")", "1", "null", R"({"x":[]})"}, {"2", "[]"}},
      {R"({"const":"a\"b"})", {R"("a\"b")"}, {R"("ab")"}},
      {R"({"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2})",
       {"[true]", "[true, false]"},
       {"[]", "[true,true,true]", "[1]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
       {"[]", "[1]", R"([1,"a"])"},
       {R"(["a"])", R"([1,"a",2])"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}},
          "required":["b"],"additionalProperties":false})",
       {R"({"a":1,"b":null})", R"({"b": null})", "{\n  \"b\": null\n}"},
       {R"({"a":1})", R"({"b":null,"c":1})", "{}", R"({"b":null,})"}},
      {R"({"type":"object","properties":{"ab":{"type":"integer"}},
          "additionalProperties":{"type":"string"}})",
       {"{}", R"({"ab":1,"x":"y"})", R"({"abc":"y","a":"z"})"},
       {R"({"ab":"y"})", R"({"x":1})"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]})",
       {"1", R"("a")"},
       {R"("ab")", "true"}},
      {R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", {"1", R"("a")"}, {"true"}},
      {R"({"allOf":[{"type":"integer","minimum":3},{"maximum":5}]})", {"3", "5"}, {"2", "6"}},
      {R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[
          {"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["next"],
          "additionalProperties":false}}})",
       {R"({"next":null})", R"({"next":{"next":{"next":null}}})"},
       {"{}", R"({"next":1})"}},
      {R"({"type":["string","null"]})", {R"("")", "null"}, {"1"}},
      {"true", {"1", R"({"a":[1,{"b":null}]})", R"("\u00e9\\")"}, {"", "{", R"("\ud800")"}},
  };
  for (const auto& one : cases) {
    auto grammar = schema_grammar(Json::parse(one.schema));
    ASSERT_TRUE(grammar.has_value()) << one.schema << ": " << grammar.error().message;
    Automaton automaton(std::move(*grammar));
    for (const char* text : one.good) EXPECT_TRUE(takes(automaton, text)) << one.schema << text;
    for (const char* text : one.bad) EXPECT_FALSE(takes(automaton, text)) << one.schema << text;
  }
}

TEST(JsonSchema, RefusesByNameWhatItCannotKeep) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"not":{"type":"string"}})", "not"},
      {R"({"type":"array","uniqueItems":true})", "uniqueItems"},
      {R"({"type":"object","patternProperties":{"^a":{}}})", "patternProperties"},
      {R"({"if":{"const":1},"then":{}})", "if"},
      {R"({"type":"string","pattern":"(?=a)b"})", "pattern"},
      {R"({"type":"string","pattern":"(a)\\1"})", "pattern"},
      {R"({"$ref":"http://example.com/x"})", "$ref"},
      {R"({"$ref":"#/$defs/none"})", "$ref"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "oneOf"},
      {R"({"type":"integer","minimum":"1"})", "minimum"},
      {R"({"type":"wrong"})", "type"},
  };
  for (const auto& [schema, word] : cases) {
    const auto grammar = schema_grammar(Json::parse(schema));
    ASSERT_FALSE(grammar.has_value()) << schema;
    EXPECT_NE(grammar.error().message.find(word), std::string::npos) << grammar.error().message;
  }
}

TEST(JsonSchema, ImpossibleSchemasAreErrors) {
  for (
      const char* schema :
      {"false", R"({"type":"integer","minimum":5,"maximum":4})", R"({"enum":[]})",
       R"({"type":"object","properties":{"a":false},"required":["a"]})",
       R"({"type":"string","minLength":5,"maxLength":4})",
       R"({"allOf":[{"type":"string"},{"type":"integer"}]})",
       R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":{"$ref":"#/$defs/a"}},
            "required":["b"]}}})",
       R"({"$ref":"#"})"}) {
    const auto grammar = schema_grammar(Json::parse(schema));
    EXPECT_FALSE(grammar.has_value()) << schema;
  }
}

// Walks at random along allowed bytes: whatever comes out must be JSON, and there is always a way.
TEST(JsonSchema, RandomWalksAlwaysEndInJson) {
  auto grammar = schema_grammar(Json::parse(
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},"n":{"type":"number"},
          "list":{"type":"array","items":{"enum":["x","y"]},"maxItems":3},
          "when":{"type":"string","format":"date-time"}},
          "required":["name","list","when"],"additionalProperties":false})"));
  ASSERT_TRUE(grammar.has_value()) << grammar.error().message;
  Automaton automaton(std::move(*grammar));
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    auto state = automaton.start();
    while (!(automaton.accepting(state) && !automaton.can_go_on(state))) {
      std::vector<uint8_t> allowed;
      for (uint16_t byte = 0; byte < 256; ++byte) {
        if (automaton.next(state, byte) != Automaton::kDead) {
          allowed.push_back(static_cast<uint8_t>(byte));
        }
      }
      ASSERT_FALSE(allowed.empty()) << text;
      const uint8_t byte = allowed[random() % allowed.size()];
      text += static_cast<char>(byte);
      state = automaton.next(state, byte);
    }
    const Json json = Json::parse(text, nullptr, false);
    ASSERT_TRUE(json.is_object()) << text;
    EXPECT_TRUE(json.contains("name") && json.contains("list") && json.contains("when")) << text;
  }
}

// Half of them optional, in any number and order of presence.
TEST(JsonSchema, GrammarsGrowAsTheirSchemas) {
  const auto nodes = [](int properties) {
    Json schema{{"type", "object"}, {"additionalProperties", false}};
    for (int i = 0; i < properties; ++i) {
      const std::string name = "property_" + std::to_string(100 + i);
      schema["properties"][name] = {{"type", i % 3 == 0   ? "string"
                                             : i % 3 == 1 ? "integer"
                                                          : "boolean"}};
      if (i % 2 == 0) schema["required"].push_back(name);
    }
    const auto grammar = schema_grammar(schema);
    EXPECT_TRUE(grammar.has_value());
    return grammar ? grammar->nodes.size() : 0;
  };
  const size_t few = nodes(60);
  EXPECT_GT(few, 0U);
  EXPECT_LE(nodes(600), 10 * few);
}

base::Result<Grammar> gbnf_grammar(std::string_view text) {
  GrammarBuilder builder;
  FREEHOLD_ASSIGN(const auto root, parse_gbnf(text, builder));
  return builder.finish(root);
}

TEST(Gbnf, ReadsTheUsualNotation) {
  auto grammar = gbnf_grammar(
      "# a comment\n"
      "root ::= \"(\" list? \")\" | word{2,3}\n"
      "list ::= item (\",\" ws item)*\n"
      "item ::= [0-9]+ | \"\\\"\" [^\"\\\\\\n]* \"\\\"\" | .\n"
      "word ::= [a-zà-ü]\n"
      "ws ::= \" \"?\n");
  ASSERT_TRUE(grammar.has_value()) << grammar.error().message;
  Automaton automaton(std::move(*grammar));
  for (const char* text : {"()", "(12, \"x y\",語)", "ab", "éab"}) {
    EXPECT_TRUE(takes(automaton, text)) << text;
  }
  for (const char* text : {"(", "a", "abcd", "(1,)", "(1;2)"}) {
    EXPECT_FALSE(takes(automaton, text)) << text;
  }
}

TEST(Gbnf, HostileGrammarsAreErrors) {
  std::string chain;
  for (int i = 0; i < 5000; ++i) {
    chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  }
  std::string large = "root ::=";
  for (int i = 0; i < 50; ++i) large += " \"a\"{10000}";
  using enum base::ErrorCode;
  struct Case {
    std::string text;
    base::ErrorCode code;  // which of them a limit stops, and not patience
  };
  const Case cases[] = {{"root ::= " + std::string(60'000, '('), kLimitExceeded},
                        {"root ::= root \"a\"", kInvalidArgument},
                        {"root ::= a\na ::= b\nb ::= a", kInvalidArgument},
                        {large, kLimitExceeded},
                        {"root ::= \"a\"{10001}", kLimitExceeded},
                        {"root ::= \"a\"{1000}{1000}", kBadFormat},
                        {"root ::= missing", kBadFormat},
                        {"root ::= [z-a]", kBadFormat},
                        {"root ::= \"a", kBadFormat},
                        {"", kBadFormat},
                        {"a ::= \"x\"", kBadFormat},
                        {chain, kBadFormat},
                        {"root ::= \"\\xZZ\"", kBadFormat},
                        {"root ::= a*\na ::= root?", kUnsupported}};
  for (const auto& [text, code] : cases) {
    const auto grammar = gbnf_grammar(text);
    ASSERT_FALSE(grammar.has_value()) << text.substr(0, 40);
    EXPECT_EQ(grammar.error().code, code) << text.substr(0, 40) << ": " << grammar.error().message;
  }
}

}  // namespace
}  // namespace freehold::server
