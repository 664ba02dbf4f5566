#include "help_format.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace freehold::app {
namespace {

constexpr size_t kColumns = 100;

// CLI11 puts the type and what it is checked for into one text: "INT:INT in [0 - 4096]",
// "TEXT:{on,off}", "TEXT:FILE".
struct TypeText {
  std::string_view type;
  std::string_view check;
  explicit TypeText(std::string_view text) : type(text.substr(0, text.find(':'))) {
    if (type.size() < text.size()) check = text.substr(type.size() + 1);
  }
};

std::string between(std::string_view text, char open, char close) {
  const size_t from = text.find(open);
  const size_t to = text.rfind(close);
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return "";
  return std::string(text.substr(from + 1, to - from - 1));
}

// "0 to 4096", or nothing.
std::string limits(std::string_view check) {
  std::string range = between(check, '[', ']');
  if (const size_t dash = range.find(" - "); dash != std::string::npos) {
    range.replace(dash, 3, " to ");
  }
  return range;
}

std::string wrap(std::string_view text, size_t width) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (column > 0) {
      const bool fits = column + 1 + word.size() <= width;
      out += fits ? ' ' : '\n';
      column = fits ? column + 1 : 0;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string HelpFormat::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0 || option->get_positional()) return "";
  const std::string text = option->get_type_name();
  const TypeText kind(text);
  std::string shown(kind.type);
  if (kind.type == "INT" || kind.type == "UINT") shown = "N";
  if (kind.type == "FLOAT") shown = "X";
  if (kind.check == "FILE" || kind.check == "DIR") shown = kind.check;
  if (std::string choices = between(kind.check, '{', '}'); !choices.empty()) {
    std::ranges::replace(choices, ',', '|');
    shown = choices;
  }
  const bool many = option->get_expected_max() == CLI::detail::expected_max_vector_size;
  return " " + shown + (many ? " ..." : "");
}

std::string HelpFormat::make_option_desc(const CLI::Option* option) const {
  const std::string type = option->get_type_name();
  std::vector<std::string> facts;
  if (option->get_required() && !option->get_positional()) facts.emplace_back("required");
  if (std::string range = limits(TypeText(type).check); !range.empty()) facts.push_back(range);
  if (!option->get_default_str().empty()) facts.push_back("default " + option->get_default_str());
  for (const CLI::Option* other : option->get_excludes()) {
    facts.push_back("not with " + other->get_name());
  }
  std::string text = option->get_description();
  for (size_t i = 0; i < facts.size(); ++i) {
    text += i > 0 ? "; " : text.empty() ? "(" : " (";
    text += facts[i];
  }
  if (!facts.empty()) text += ')';
  return wrap(text, kColumns - get_column_width());
}

}  // namespace freehold::app
