#include "help_format.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>

namespace freehold::app {
namespace {

TEST(HelpFormat, ShowsKindsLimitsAndDefaultsInLinesThatFit) {
  CLI::App app("about");
  app.formatter(std::make_shared<HelpFormat>());
  uint32_t number = 7;
  double share = 0;
  std::string choice;
  std::string file;
  std::string model;
  std::vector<std::string> names;
  bool flag = false;
  app.add_option("MODEL", model, "which")->required();
  app.add_option("--number", number, "how many")->capture_default_str()->check(CLI::Range(1U, 9U));
  app.add_option("--share", share)->check(CLI::Range(0.0, 0.5));
  app.add_option("--choice", choice, "one of them")->check(CLI::IsMember({"on", "off"}));
  app.add_option("--file", file, "read")->check(CLI::ExistingFile)->required();
  app.add_option("--names", names, "any")->excludes("--share");
  std::string lengthy;
  for (int i = 0; i < 30; ++i) lengthy += (i == 0 ? "word" : " word");
  app.add_flag("--flag", flag, lengthy);

  std::istringstream help(app.help());
  std::vector<std::string> lines;
  for (std::string line; std::getline(help, line); lines.push_back(line)) {
    EXPECT_LE(line.size(), 100U);
  }
  const auto line_with = [&](const std::string& start) {
    for (const std::string& line : lines) {
      if (line.find(start) == 2) return line.substr(2);
    }
    return std::string();
  };
  const auto columns = [](std::string name, const std::string& about) {
    name.resize(28, ' ');
    return name + about;
  };
  EXPECT_EQ(line_with("MODEL"), columns("MODEL", "which"));
  EXPECT_EQ(line_with("--number"), columns("--number N", "how many (1 to 9; default 7)"));
  EXPECT_EQ(line_with("--share"), columns("--share X", "(0 to 0.5; not with --names)"));
  EXPECT_EQ(line_with("--choice"), columns("--choice on|off", "one of them"));
  EXPECT_EQ(line_with("--file"), columns("--file FILE", "read (required)"));
  EXPECT_EQ(line_with("--names"), columns("--names TEXT ...", "any (not with --share)"));
  EXPECT_EQ(line_with("--flag").substr(28).find("word word"), 0U);
}

}  // namespace
}  // namespace freehold::app
