#include "chat/output_parser.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace freehold::chat {
namespace {

using nlohmann::ordered_json;

const ordered_json kTools = ordered_json::parse(R"([
  {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                   "where": {"type": "object"}, "note": {"type": ["string", "null"]}}}}},
  {"type": "function", "function": {"name": "add", "parameters": {"type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}}])");

// One line an event, neighbours of a kind joined.
std::string shown(const std::vector<OutputEvent>& events) {
  using Kind = OutputEvent::Kind;
  std::vector<OutputEvent> joined;
  for (const OutputEvent& event : events) {
    const bool text = event.kind == Kind::kReasoning || event.kind == Kind::kContent ||
                      event.kind == Kind::kToolCallArguments;
    if (text && !joined.empty() && joined.back().kind == event.kind &&
        joined.back().index == event.index) {
      joined.back().text += event.text;
    } else {
      joined.push_back(event);
    }
  }
  std::string out;
  for (const OutputEvent& event : joined) {
    const std::string index = std::to_string(event.index);
    switch (event.kind) {
      case Kind::kReasoning:
        out += "reasoning|" + event.text + "|\n";
        break;
      case Kind::kContent:
        out += "content|" + event.text + "|\n";
        break;
      case Kind::kToolCallStart:
        out += "start " + index + " " + event.name + " " + event.id + "\n";
        break;
      case Kind::kToolCallArguments:
        out += "arguments " + index + "|" + event.text + "|\n";
        break;
      case Kind::kToolCallEnd:
        out += "end " + index + "\n";
        break;
      case Kind::kMalformed:
        out += "malformed " + index + "|" + event.text + "|\n";
        break;
    }
  }
  return out;
}

struct Case {
  const char* name;
  Format format;
  std::string prompt_tail;
  std::string output;
  std::string expected;
};

std::string parsed_in_pieces(const Case& test, const std::vector<size_t>& cuts) {
  OutputOptions options;
  options.format = test.format;
  options.tools = &kTools;
  options.prompt_tail = test.prompt_tail;
  OutputParser parser(options);
  std::vector<OutputEvent> events;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    parser.feed(std::string_view(test.output).substr(begin, cut - begin), events);
    begin = cut;
  }
  parser.feed(std::string_view(test.output).substr(begin), events);
  parser.finish(events);
  return shown(events);
}

const std::string kCity = R"({"city": "Z\u00fcrich </tool_call> }", "days": [1, {"x": "]"}]})";
const std::string kD = "\xEF\xBD\x9C";  // fullwidth bar
const std::string kU = "\xE2\x96\x81";  // low line block
std::string ds(const std::string& words) {
  std::string out = "<" + kD;
  for (const char c : words) out += c == ' ' ? kU : std::string(1, c);
  return out + kD + ">";
}
const std::string kDsml = kD + "DSML" + kD;

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"plain", Format::kGeneric, "", "Hello, <world>\n", "content|Hello, <world>\n|\n"},
      {"leading white space stays", Format::kGeneric, "", "  Hi", "content|  Hi|\n"},
      {"empty", Format::kHermes, "", "", ""},
      {"only white space", Format::kHermes, "", " \n", "content| \n|\n"},
      {"thinks first", Format::kHermes, "<|im_start|>assistant\n",
       "<think>\nTenths: 9 > 1.\n</think>\n\n9.9 is larger.",
       "reasoning|Tenths: 9 > 1.|\ncontent|9.9 is larger.|\n"},
      {"thinking opened by the prompt", Format::kDeepSeekR1, "<think>\n",
       "A.\n\nB.\n</think>\n\nC </ d", "reasoning|A.\n\nB.|\ncontent|C </ d|\n"},
      {"thinking opened twice", Format::kDeepSeekR1, "<think>\n", "\n<think>\nA</think>B",
       "reasoning|A|\ncontent|B|\n"},
      {"thinking closed by the prompt", Format::kDeepSeekV31, "</think>", "\n\nHi",
       "content|Hi|\n"},
      {"empty thinking", Format::kHermes, "", "<think>\n\n</think>\n\nHi", "content|Hi|\n"},
      {"cut off while thinking", Format::kHermes, "<think>\n", "Well, </thi",
       "reasoning|Well, </thi|\n"},
      {"marker spoken of in content", Format::kHermes, "</think>\n\n", "The tag </think> ends it.",
       "content|The tag </think> ends it.|\n"},
      {"end of answer", Format::kHermes, "", "Hi<|im_end|>", "content|Hi|\n"},
      {"end of answer, DeepSeek", Format::kDeepSeekV31, "</think>", "Hi" + ds("end of sentence"),
       "content|Hi|\n"},

      {"Hermes", Format::kHermes, "",
       "Let me look.\n\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": " + kCity +
           "}\n</tool_call>\n<tool_call>\n{\"arguments\": {\"a\": 1}, \"name\": "
           "\"add\"}\n</tool_call>",
       "content|Let me look.|\nstart 0 get_weather call_0\narguments 0|" + kCity +
           "|\nend 0\nstart 1 add call_1\narguments 1|{\"a\": 1}|\nend 1\n"},
      {"Hermes after thinking", Format::kHermes, "",
       "<think>\nUse it.\n</think>\n\n<tool_call>\n{\"name\": \"f\"}\n</tool_call>",
       "reasoning|Use it.|\nstart 0 f call_0\narguments 0|{}|\nend 0\n"},
      {"Hermes inside thinking", Format::kHermes, "<think>\n",
       "Use it.\n<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>\n"
       "</think>\n\nDone",
       "reasoning|Use it.|\nstart 0 f call_0\narguments 0|{\"a\": 1}|\nend 0\ncontent|Done|\n"},
      {"Hermes, not JSON", Format::kHermes, "", "<tool_call>\nhello there\n</tool_call>ok",
       "malformed -1|hello there\n|\ncontent|ok|\n"},
      {"Hermes, no name", Format::kHermes, "", "<tool_call>\n{\"x\": 1}\n</tool_call>",
       "malformed -1|{\"x\": 1}\n|\n"},
      {"Hermes, brace missing", Format::kHermes, "",
       "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call>",
       "start 0 f call_0\narguments 0|{\"a\": 1}|\n"
       "malformed 0|{\"name\": \"f\", \"arguments\": {\"a\": 1}|\n"},
      {"Hermes, arguments no object", Format::kHermes, "",
       "<tool_call>{\"name\": \"f\", \"arguments\": 5}</tool_call>",
       "start 0 f call_0\nmalformed 0|{\"name\": \"f\", \"arguments\": 5}|\n"},
      {"Hermes, cut off", Format::kHermes, "",
       "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"city\": \"Zü",
       "start 0 f call_0\narguments 0|{\"city\": \"Zü|\n"
       "malformed 0|{\"name\": \"f\", \"arguments\": {\"city\": \"Zü|\n"},
      {"Hermes, cut off early", Format::kHermes, "", "<tool_call>\n{\"na", "malformed -1|{\"na|\n"},
      {"Hermes, two in a row and text", Format::kHermes, "",
       "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n\nThat's it.\n",
       "start 0 f call_0\narguments 0|{}|\nend 0\ncontent|That's it.\n|\n"},

      {"R1", Format::kDeepSeekR1, "<think>\n",
       "Hm.\n</think>\n\n" + ds("tool calls begin") + ds("tool call begin") + "function" +
           ds("tool sep") + "get_weather\n```json\n" + kCity + "\n```" + ds("tool call end") +
           "\n" + ds("tool call begin") + "function" + ds("tool sep") + "add\n```json\n{}\n```" +
           ds("tool call end") + ds("tool calls end") + ds("end of sentence"),
       "reasoning|Hm.|\nstart 0 get_weather call_0\narguments 0|" + kCity +
           "|\nend 0\nstart 1 add call_1\narguments 1|{}|\nend 1\n"},
      {"R1 with look-alikes and no fence", Format::kDeepSeekR1, "</think>",
       "<|tool_calls_begin|><|tool_call_begin|>function<|tool_sep|>add\n{\"a\": 1}"
       "<|tool_call_end|><|tool_calls_end|>",
       "start 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},
      {"R1 without arguments", Format::kDeepSeekR1, "</think>",
       ds("tool call begin") + "function" + ds("tool sep") + "now" + ds("tool call end"),
       "start 0 now call_0\narguments 0|{}|\nend 0\n"},
      {"V3.1", Format::kDeepSeekV31, "</think>",
       "Ok." + ds("tool calls begin") + ds("tool call begin") + "get_weather" + ds("tool sep") +
           kCity + ds("tool call end") + ds("tool call begin") + "add" + ds("tool sep") +
           "{\"a\":1}" + ds("tool call end") + ds("tool calls end"),
       "content|Ok.|\nstart 0 get_weather call_0\narguments 0|" + kCity +
           "|\nend 0\nstart 1 add call_1\narguments 1|{\"a\":1}|\nend 1\n"},
      {"V3.1, broken", Format::kDeepSeekV31, "</think>",
       ds("tool calls begin") + ds("tool call begin") + "add" + ds("tool sep") +
           "{\"a\":" + ds("tool call end") + ds("tool calls end") + "x",
       "start 0 add call_0\narguments 0|{\"a\":|\nmalformed 0|add{\"a\":|\ncontent|x|\n"},
      {"V3.1, no separator", Format::kDeepSeekV31, "</think>",
       ds("tool calls begin") + ds("tool call begin") + "add {}" + ds("tool call end"),
       "malformed -1|add {}|\n"},

      {"V3.2", Format::kDeepSeekV32, "<think>",
       "Look.\n\n<" + kDsml + "function_calls>\n<" + kDsml + "invoke name=\"get_weather\">\n<" +
           kDsml + "parameter name=\"city\" string=\"true\">Zürich \"x\"\n</b></" + kDsml +
           "parameter>\n<" + kDsml + "parameter name=\"days\" string=\"false\">[1, 2]</" + kDsml +
           "parameter>\n</" + kDsml + "invoke>\n<" + kDsml + "invoke name=\"add\">\n</" + kDsml +
           "invoke>\n</" + kDsml + "function_calls>",
       "reasoning|Look.|\nstart 0 get_weather call_0\n"
       "arguments 0|{\"city\": \"Zürich \\\"x\\\"\\n</b>\", \"days\": [1, 2]}|\nend 0\n"
       "start 1 add call_1\narguments 1|{}|\nend 1\n"},
      {"V4", Format::kDeepSeekV4, "</think>",
       "\n\n<" + kDsml + "tool_calls>\n<" + kDsml + "invoke name=\"add\">\n<" + kDsml +
           "parameter name=\"a\" string=\"false\">1</" + kDsml + "parameter>\n</" + kDsml +
           "invoke>\n</" + kDsml + "tool_calls>",
       "start 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},
      {"V4, cut off", Format::kDeepSeekV4, "</think>",
       "<" + kDsml + "tool_calls>\n<" + kDsml + "invoke name=\"add\">\n<" + kDsml +
           "parameter name=\"a\" string=\"true\">on",
       "start 0 add call_0\narguments 0|{\"a\": \"on|\nmalformed 0|<" + kDsml +
           "invoke name=\"add\"><" + kDsml + "parameter name=\"a\" string=\"true\">on|\n"},

      {"Qwen XML", Format::kQwenXml, "<think>\n",
       "Go.\n</think>\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nZürich\n  x "
       "</parameter> y\n</parameter>\n<parameter=days>\n3\n</parameter>\n<parameter=where>\n"
       "{\"x\": "
       "[1]}\n</parameter>\n<parameter=note>\nnull\n</parameter>\n</function>\n</tool_call>",
       "reasoning|Go.|\nstart 0 get_weather call_0\n"
       "arguments 0|{\"city\": \"Zürich\\n  x </parameter> y\", \"days\": 3, \"where\": {\"x\": "
       "[1]}, "
       "\"note\": null}|\nend 0\n"},
      {"Qwen XML without the first tag", Format::kQwenXml, "",
       "Ok\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
       "content|Ok|\nstart 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},
      {"Qwen XML, unknown function in text", Format::kQwenXml, "", "write <function=foo> so",
       "content|write <function=foo> so|\n"},
      {"Qwen XML on one line", Format::kQwenXml, "",
       "<tool_call><function=get_weather><parameter=city>Bonn</parameter><parameter=days>x"
       "</parameter></function></tool_call>",
       "start 0 get_weather call_0\narguments 0|{\"city\": \"Bonn\", \"days\": \"x\"}|\nend 0\n"},
      {"Qwen XML, empty values", Format::kQwenXml, "",
       "<tool_call>\n<function=get_weather>\n<parameter=city>\n</parameter>\n</function>\n</"
       "tool_call>",
       "start 0 get_weather call_0\narguments 0|{\"city\": \"\"}|\nend 0\n"},

      {"GLM", Format::kGlm4, "<|assistant|>",
       "\n<think>Hm.</think>\nOk\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Bonn"
       "</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>\n"
       "<tool_call>now\n</tool_call>",
       "reasoning|Hm.|\ncontent|Ok|\nstart 0 get_weather call_0\n"
       "arguments 0|{\"city\": \"Bonn\", \"days\": 2}|\nend 0\n"
       "start 1 now call_1\narguments 1|{}|\nend 1\n"},

      {"Llama", Format::kLlama3, "",
       "{\"name\": \"add\", \"parameters\": {\"a\": 1}}; "
       "{\"name\": \"add\", \"parameters\": {}}",
       "start 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\nstart 1 add call_1\narguments "
       "1|{}|\nend 1\n"},
      {"Llama, ordinary JSON", Format::kLlama3, "", "{\"name\": \"Bob\", \"age\": 5}\nok",
       "content|{\"name\": \"Bob\", \"age\": 5}\nok|\n"},
      {"Llama, no JSON", Format::kLlama3, "", "{x} is a set", "content|{x} is a set|\n"},
      {"Llama, built-in", Format::kLlama3, "",
       "<|python_tag|>brave_search.call(query=\"a, (b)\", n=3)",
       "start 0 brave_search call_0\narguments 0|{\"query\": \"a, (b)\", \"n\": 3}|\nend 0\n"},
      {"Llama, code", Format::kLlama3, "", "<|python_tag|>x = 1\nprint(x)<|eom_id|>",
       "start 0 code_interpreter call_0\narguments 0|{\"code\": \"x = 1\\nprint(x)\"}|\nend 0\n"},
      {"Llama, object after the tag", Format::kLlama3, "",
       "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}",
       "start 0 f call_0\narguments 0|{}|\nend 0\n"},
      {"Llama, function tag", Format::kLlama3, "", "<function=add>{\"a\": 1}</function>",
       "start 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},

      {"Kimi", Format::kKimiK2, "",
       "<think>T</think>Ok<|tool_calls_section_begin|><|tool_call_begin|>functions.add:3"
       "<|tool_call_argument_begin|>{\"a\": 1}<|tool_call_end|><|tool_call_begin|>functions.get:x:4"
       "<|tool_call_argument_begin|> {} <|tool_call_end|><|tool_calls_section_end|><|im_end|>",
       "reasoning|T|\ncontent|Ok|\nstart 0 add functions.add:3\narguments 0|{\"a\": 1}|\nend 0\n"
       "start 1 get:x functions.get:x:4\narguments 1|{}|\nend 1\n"},
      {"Kimi, lenient", Format::kKimiK2, "<think>",
       "T<|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>{}<|tool_call_end|></think>",
       "reasoning|T|\nstart 0 add functions.add:0\narguments 0|{}|\nend 0\n"},

      {"harmony", Format::kHarmony, "<|start|>assistant",
       "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Hi"
       "<|return|>",
       "reasoning|Think.|\ncontent|Hi|\n"},
      {"harmony call", Format::kHarmony, "<|start|>assistant",
       "<|channel|>analysis<|message|>T<|end|><|start|>assistant<|channel|>commentary "
       "to=functions.add <|constrain|>json<|message|>{\"a\": 1}<|call|>",
       "reasoning|T|\nstart 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},
      {"harmony call, other order", Format::kHarmony, "<|start|>assistant",
       " to=functions.add<|channel|>commentary json<|message|>{\"a\": 1}",
       "start 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"},
      {"harmony preamble and stray channel", Format::kHarmony, "<|start|>assistant",
       "<|channel|>commentary<|message|>First.<|end|><|start|>assistant<|channel|>commentary"
       "<|channel|>analysis<|message|>T<|end|>",
       "content|First.|\nreasoning|T|\n"},
      {"harmony without header", Format::kHarmony, "<|start|>assistant<|channel|>final<|message|>",
       "Just text", "content|Just text|\n"},
      {"harmony, broken call", Format::kHarmony, "<|start|>assistant",
       "<|channel|>commentary to=functions.add<|message|>a=1<|call|>",
       "start 0 add call_0\nmalformed 0|assistant<|channel|>commentary "
       "to=functions.add<|message|>a=1|\n"},

      {"Mistral list", Format::kMistral, "[/INST]",
       "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"a\": [1]}, \"id\": \"abc123xyz\"}, "
       "{\"name\": \"f\", \"arguments\": {}}]</s>",
       "start 0 add call_0\narguments 0|{\"a\": [1]}|\nend 0\nstart 1 f call_1\narguments "
       "1|{}|\nend 1\n"},
      {"Mistral list, id first", Format::kMistral, "[/INST]",
       "[TOOL_CALLS] [{\"id\": \"abc123xyz\", \"name\": \"add\", \"arguments\": {}}]",
       "start 0 add abc123xyz\narguments 0|{}|\nend 0\n"},
      {"Mistral named", Format::kMistral, "[/INST]",
       "[THINK]T[/THINK]Ok[TOOL_CALLS]add[ARGS]{\"a\": 1}[TOOL_CALLS]f[CALL_ID]123[ARGS]{}",
       "reasoning|T|\ncontent|Ok|\nstart 0 add call_0\narguments 0|{\"a\": 1}|\nend 0\n"
       "start 1 f 123\narguments 1|{}|\nend 1\n"},
      {"Mistral, broken", Format::kMistral, "", "[TOOL_CALLS][{\"x\": 1}]",
       "malformed -1|{\"x\": 1}]|\n"},
  };
  return all;
}

TEST(OutputParser, ReadsEachFormat) {
  for (const Case& test : cases()) {
    EXPECT_EQ(parsed_in_pieces(test, {}), test.expected) << test.name;
  }
}

TEST(OutputParser, AnySplitGivesTheSameEvents) {
  std::mt19937 random(7);
  for (const Case& test : cases()) {
    const size_t n = test.output.size();
    for (size_t cut = 1; cut < n; ++cut) {
      ASSERT_EQ(parsed_in_pieces(test, {cut}), test.expected) << test.name << " cut at " << cut;
    }
    std::vector<size_t> each;
    for (size_t cut = 1; cut < n; ++cut) each.push_back(cut);
    ASSERT_EQ(parsed_in_pieces(test, each), test.expected) << test.name << " byte by byte";
    for (int round = 0; round < 50; ++round) {
      std::vector<size_t> some;
      for (size_t cut = 1; cut < n; ++cut) {
        if (random() % 5 == 0) some.push_back(cut);
      }
      ASSERT_EQ(parsed_in_pieces(test, some), test.expected) << test.name << " round " << round;
    }
  }
}

// Whatever comes, cut anywhere: the same events, and every end follows its start.
TEST(OutputParser, NoiseGivesTheSameEventsInAnyPieces) {
  std::mt19937 random(11);
  std::vector<std::string> words = {"<think>",
                                    "</think>",
                                    "\n",
                                    "{",
                                    "}",
                                    "\"",
                                    "name",
                                    ": ",
                                    "a",
                                    "{\"name\": \"add\", \"arguments\": {}}",
                                    " ",
                                    "<tool_call>",
                                    "</tool_call>",
                                    "<function=add>",
                                    "<parameter=a>",
                                    "</parameter>",
                                    "</function>",
                                    "<arg_key>",
                                    "</arg_key>",
                                    "<arg_value>",
                                    "</arg_value>",
                                    "[TOOL_CALLS]",
                                    "[",
                                    "]",
                                    "[ARGS]",
                                    "<|start|>",
                                    "<|channel|>",
                                    "analysis",
                                    "<|message|>",
                                    "<|end|>",
                                    " to=add",
                                    "<|tool_call_begin|>",
                                    "<|tool_call_argument_begin|>",
                                    "<|tool_call_end|>",
                                    "<|python_tag|>",
                                    "```json\n",
                                    ";",
                                    "<",
                                    "|",
                                    ds("tool call begin"),
                                    ds("tool sep"),
                                    ds("tool call end"),
                                    "function",
                                    "<" + kDsml + "tool_calls>",
                                    "<" + kDsml + "invoke name=\"add\">",
                                    "<" + kDsml + "parameter name=\"a\" string=\"true\">",
                                    "</" + kDsml + "parameter>",
                                    "</" + kDsml + "invoke>"};
  for (int round = 0; round < 3000; ++round) {
    Case test{"noise", static_cast<Format>(round % 12), random() % 2 == 0 ? "<think>" : "", "", ""};
    for (int i = 0; i < 14; ++i) test.output += words[random() % words.size()];
    const std::string whole = parsed_in_pieces(test, {});
    std::vector<size_t> cuts;
    for (size_t cut = 1; cut < test.output.size(); ++cut) {
      if (random() % 3 == 0) cuts.push_back(cut);
    }
    ASSERT_EQ(parsed_in_pieces(test, cuts), whole)
        << name(test.format) << " tail " << test.prompt_tail << "\n"
        << test.output;
  }
}

TEST(OutputParser, ReadsCallsOnlyWhereTheyAreExpected) {
  const std::string call = "<tool_call>{\"name\": \"f\"}</tool_call>";
  const std::string output = "a" + call + "</think>b" + call;
  const auto read = [&](CallReading calls) {
    OutputOptions options;
    options.format = Format::kHermes;
    options.calls = calls;
    options.prompt_tail = "<think>";
    OutputParser parser(options);
    std::vector<OutputEvent> events;
    parser.feed(output, events);
    parser.finish(events);
    return shown(events);
  };
  const std::string made = " f call_0\narguments 0|{}|\nend 0\n";
  EXPECT_EQ(read(CallReading::kNever), "reasoning|a" + call + "|\ncontent|b" + call + "|\n");
  EXPECT_EQ(read(CallReading::kAfterReasoning),
            "reasoning|a" + call + "|\ncontent|b|\nstart 0" + made);
  EXPECT_TRUE(read(CallReading::kAnywhere).starts_with("reasoning|a|\nstart 0" + made));
}

TEST(OutputParser, CountsCallsAndKnowsWhenItThinks) {
  OutputOptions options;
  options.format = Format::kHermes;
  options.prompt_tail = "<think>\n";
  options.make_id = [](int32_t index) { return "id" + std::to_string(index); };
  OutputParser parser(options);
  std::vector<OutputEvent> events;
  parser.feed("x", events);
  EXPECT_TRUE(parser.in_reasoning());
  parser.feed("</think><tool_call>{\"name\": \"f\"}</tool_call>", events);
  EXPECT_FALSE(parser.in_reasoning());
  EXPECT_EQ(parser.tool_calls(), 1);
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events[1].id, "id0");
}

}  // namespace
}  // namespace freehold::chat
