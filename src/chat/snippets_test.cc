// Small templates, one or two features each, and what Jinja2 makes of them.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "chat/template.h"

namespace freehold::chat {
namespace {

TEST(Snippets, AgreeWithJinja2) {
  std::ifstream file(FREEHOLD_TEST_DATA "/templates/snippets.json");
  const Json data = Json::parse(file);
  for (const Json& test : data["cases"]) {
    const std::string source = test["template"].get<std::string>();
    SCOPED_TRACE(source);
    const auto parsed = Template::parse(source);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const auto text =
        parsed->render(data["variables"], {.limits = {}, .now = "2026-01-15T12:30:00"});
    if (test.contains("text")) {
      ASSERT_TRUE(text.has_value()) << text.error().message;
      EXPECT_EQ(*text, test["text"].get<std::string>());
      continue;
    }
    ASSERT_FALSE(text.has_value()) << *text;
    const std::string error = test["error"].get<std::string>();
    // Jinja2 finds unknown filters when it compiles, in other words.
    if (error.starts_with("TemplateAssertionError")) continue;
    EXPECT_NE(text.error().message.find(error), std::string::npos) << text.error().message << "\n"
                                                                   << error;
  }
}

}  // namespace
}  // namespace freehold::chat
