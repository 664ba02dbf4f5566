// The commands of `freehold`. Each add_… declares one subcommand and its options; what the command
// line asked for is left in `action` and done by main after parsing.
#pragma once

#include <functional>

#include "base/result.h"

namespace CLI {
class App;
}

namespace freehold::app {

// Does the work of a command. kInvalidArgument becomes exit code 2 (usage), any other error 1.
using Action = std::function<base::Status()>;

void add_list(CLI::App& app, Action& action);
void add_pull(CLI::App& app, Action& action);
void add_remove(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_tokenize(CLI::App& app, Action& action);
void add_render(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_logits(CLI::App& app, Action& action);
void add_perplexity(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_keys(CLI::App& app, Action& action);
void add_usage(CLI::App& app, Action& action);

}  // namespace freehold::app
