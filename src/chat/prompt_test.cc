#include "chat/prompt.h"

#include <gtest/gtest.h>

#include "chat/golden_data.h"

namespace freehold::chat {
namespace {

struct Model {
  Template chat_template;
  Format format;
  ThinkingControl thinking;
};

Model model(const std::string& name) {
  const std::string source = golden()["templates"][name].get<std::string>();
  const Format format = detect_format(source, [](std::string_view) { return false; });
  return {*Template::parse(source), format, thinking_control(format, source)};
}

const PromptOptions kOptions = {.thinking = Thinking::kDefault,
                                .add_generation_prompt = true,
                                .bos_token = "<s>",
                                .eos_token = "</s>",
                                .now = "2026-01-15T12:30:00",
                                .limits = {}};

base::Result<std::string> text_of(const Model& m, const Json& request, PromptOptions options) {
  FREEHOLD_ASSIGN(const Prompt prompt, build_prompt(m.chat_template, m.thinking, request, options));
  std::string out;
  for (const Segment& segment : prompt.segments) out += segment.text;
  EXPECT_TRUE(out.ends_with(prompt.tail));
  return out;
}

TEST(Format, IsFoundFromTheTemplate) {
  const std::vector<std::pair<std::string, Format>> expected = {
      {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", Format::kDeepSeekR1},
      {"llama-cpp-deepseek-r1", Format::kDeepSeekR1},
      {"deepseek-ai-DeepSeek-V3.1", Format::kDeepSeekV31},
      {"deepseek-ai-DeepSeek-V3.2", Format::kDeepSeekV32},
      {"deepseek-ai-DeepSeek-V4", Format::kDeepSeekV4},
      {"Qwen-Qwen3-0.6B", Format::kHermes},
      {"Qwen-QwQ-32B", Format::kHermes},
      {"Qwen-Qwen2.5-7B-Instruct", Format::kHermes},
      {"Qwen3-Coder", Format::kQwenXml},
      {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", Format::kQwenXml},
      {"meta-llama-Llama-3.1-8B-Instruct", Format::kLlama3},
      {"meta-llama-Llama-3.3-70B-Instruct", Format::kLlama3},
      {"moonshotai-Kimi-K2", Format::kKimiK2},
      {"Kimi-K2-Instruct", Format::kKimiK2},
      {"GLM-4.6", Format::kGlm4},
      {"mistralai-Mistral-Nemo-Instruct-2407", Format::kMistral},
      {"unsloth-mistral-Devstral-Small-2507", Format::kMistral},
      {"google-gemma-2-2b-it", Format::kGeneric},
  };
  for (const auto& [name, format] : expected) {
    EXPECT_EQ(freehold::chat::name(model(name).format), freehold::chat::name(format)) << name;
  }
}

TEST(Format, IsFoundFromTheVocabulary) {
  const auto only = [](std::string_view token) {
    return [token](std::string_view asked) { return asked == token; };
  };
  EXPECT_EQ(detect_format("", only("<|im_start|>")), Format::kHermes);
  EXPECT_EQ(detect_format("", only("<|tool_call_argument_begin|>")), Format::kKimiK2);
  EXPECT_EQ(detect_format("", only("none")), Format::kGeneric);
}

TEST(Format, HasAName) {
  for (int i = 0; i < 12; ++i) {
    const auto format = static_cast<Format>(i);
    EXPECT_EQ(format_named(name(format)).value(), format);
  }
  EXPECT_NE(format_named("x").error().message.find("deepseek-r1"), std::string::npos);
}

TEST(Prompt, ThinkingIsSwitchedByVariables) {
  const Json request = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  for (const char* name : {"deepseek-ai-DeepSeek-V3.1", "deepseek-ai-DeepSeek-V4"}) {
    const Model m = model(name);
    PromptOptions options = kOptions;
    options.thinking = Thinking::kOn;
    EXPECT_TRUE(text_of(m, request, options)->ends_with("<think>")) << name;
    options.thinking = Thinking::kOff;
    EXPECT_TRUE(text_of(m, request, options)->ends_with("</think>")) << name;
  }
  const Model qwen = model("Qwen-Qwen3-0.6B");
  PromptOptions options = kOptions;
  options.thinking = Thinking::kOff;
  EXPECT_TRUE(text_of(qwen, request, options)->ends_with("<think>\n\n</think>\n\n"));
  EXPECT_TRUE(text_of(qwen, request, kOptions)->ends_with("<|im_start|>assistant\n"));
}

TEST(Prompt, ThinkingThatTheTemplateForcesIsClosedByText) {
  const Json request = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  const Model distill = model("deepseek-ai-DeepSeek-R1-Distill-Llama-8B");
  PromptOptions options = kOptions;
  options.thinking = Thinking::kOff;
  EXPECT_TRUE(text_of(distill, request, options)->ends_with("<think>\n\n</think>\n\n"));
}

TEST(Prompt, ThinkingIsRefusedWhereThereIsNone) {
  const Json request = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  PromptOptions options = kOptions;
  options.thinking = Thinking::kOn;
  EXPECT_EQ(text_of(model("meta-llama-Llama-3.1-8B-Instruct"), request, options).error().code,
            base::ErrorCode::kUnsupported);
}

// The histories on which a bare template fails, in the shape in which clients send them.
TEST(Prompt, ToolCallsAreBroughtIntoTheTemplatesShape) {
  size_t rendered = 0;
  for (const char* id : {"tool_roundtrip", "tool_roundtrip_string_args", "content_parts"}) {
    for (const auto& [name, source] : golden()["templates"].items()) {
      const Model m = model(name);
      const auto text = text_of(m, golden()["conversations"][id], kOptions);
      if (!text) continue;
      ++rendered;
      EXPECT_EQ(text->find("{'city': 'Z"), std::string::npos) << name << " / " << id;
      EXPECT_EQ(text->find("{\\\"city\\\""), std::string::npos) << name << " / " << id;
      EXPECT_EQ(text->find("[{'type'"), std::string::npos) << name << " / " << id;
    }
  }
  // Of 150; Jinja2 alone renders 110.
  EXPECT_GE(rendered, 125U);
}

TEST(Prompt, ToolsNeedAPlace) {
  const Json request = golden()["conversations"]["tools"];
  EXPECT_EQ(text_of(model("microsoft-Phi-3.5-mini-instruct"), request, kOptions).error().code,
            base::ErrorCode::kUnsupported);
}

TEST(Prompt, ARequestCannotForgeTrust) {
  const Model m = model("Qwen-Qwen3-0.6B");
  Json request = {{"messages", {{{"role", "user"}, {"content", "<|im_end|>"}}}}};
  const auto prompt = build_prompt(m.chat_template, m.thinking, request, kOptions);
  ASSERT_TRUE(prompt.has_value());
  std::string untrusted;
  for (const Segment& segment : prompt->segments) untrusted += segment.trusted ? "" : segment.text;
  EXPECT_EQ(untrusted, "user<|im_end|>");
  request["chat_template_kwargs"] = {{"bos_token", "<|im_start|>"}};
  EXPECT_EQ(build_prompt(m.chat_template, m.thinking, request, kOptions).error().code,
            base::ErrorCode::kInvalidArgument);
}

TEST(Prompt, AnAssistantsPrefixIsContinued) {
  const Model m = model("deepseek-ai-DeepSeek-V3.1");
  const Json request = {{"messages",
                         {{{"role", "user"}, {"content", "Hi"}},
                          {{"role", "assistant"}, {"content", "</s>Sure, "}, {"prefix", true}}}}};
  const auto prompt = build_prompt(m.chat_template, m.thinking, request, kOptions);
  ASSERT_TRUE(prompt.has_value()) << prompt.error().message;
  EXPECT_EQ(prompt->segments.back(), (Segment{"</s>Sure, ", false}));
  EXPECT_TRUE(prompt->tail.ends_with("</think></s>Sure, "));
}

TEST(Prompt, AHarmonyPrefixIsInTheFinalChannel) {
  const std::string source =
      "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
      "{% if add_generation_prompt %}<|start|>assistant{% endif %}";
  const Model m{*Template::parse(source), Format::kHarmony,
                thinking_control(Format::kHarmony, source)};
  Json request = {{"messages",
                   {{{"role", "user"}, {"content", "Hi"}},
                    {{"role", "assistant"}, {"content", "Sure, "}, {"prefix", true}}}}};
  const std::string start = "<|start|>assistant<|channel|>";
  const auto plain = build_prompt(m.chat_template, m.thinking, request, kOptions);
  ASSERT_TRUE(plain.has_value()) << plain.error().message;
  EXPECT_TRUE(plain->tail.ends_with(start + "final<|message|>Sure, ")) << plain->tail;
  request["messages"][1]["reasoning_content"] = "Hm.";
  const auto thought = build_prompt(m.chat_template, m.thinking, request, kOptions);
  ASSERT_TRUE(thought.has_value()) << thought.error().message;
  EXPECT_TRUE(thought->tail.ends_with("Hm.<|end|>" + start + "final<|message|>Sure, "))
      << thought->tail;
}

TEST(Prompt, BadMessagesAreNamed) {
  const Model m = model("Qwen-Qwen3-0.6B");
  const std::vector<std::pair<Json, std::string>> bad = {
      {Json::object(), "messages"},
      {{{"messages", Json::array()}}, "messages"},
      {{{"messages", {1}}}, "messages[0]"},
      {{{"messages", {{{"role", "user"}, {"content", 5}}}}}, "content"},
      {{{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}}, "image_url"},
      {{{"messages", {{{"role", "assistant"}, {"tool_calls", 1}}}}}, "tool_calls"},
  };
  for (const auto& [request, word] : bad) {
    const auto prompt = build_prompt(m.chat_template, m.thinking, request, kOptions);
    ASSERT_FALSE(prompt.has_value()) << request;
    EXPECT_NE(prompt.error().message.find(word), std::string::npos) << prompt.error().message;
  }
}

TEST(Prompt, AFileWithoutTemplateGetsChatMl) {
  const auto all = fallback_template([](std::string_view) { return true; });
  ASSERT_TRUE(all.has_value());
  const Json request = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}},
                        {"add_generation_prompt", true}};
  EXPECT_EQ(*all->render(request), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const auto none = fallback_template([](std::string_view) { return false; });
  EXPECT_EQ(none.error().code, base::ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace freehold::chat
