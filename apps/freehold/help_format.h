// How `--help` shows options: "--context N", and the default and the limits after what it is for.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace freehold::app {

class HelpFormat : public CLI::Formatter {
 public:
  // What follows the name: N for whole numbers, X for others, else the kind or the choices.
  std::string make_option_opts(const CLI::Option* option) const override;
  // In lines of at most 100 columns with the names before them.
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace freehold::app
