// `freehold serve`, whole: ledger, models, service, HTTP and signals, until it is told to stop.
#pragma once

#include <functional>

#include "server/serve_config.h"
#include "server/service.h"

namespace freehold::server {

struct ServeHooks {
  LogSink log;
  // Called once it listens: the address, and whether keys are demanded.
  std::function<void(const std::string& url, bool keys)> ready;
  // Reads the configuration anew, for SIGHUP. None: there is nothing to reload but keys.
  std::function<base::Result<ServeConfig>()> reload;
};

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts, and waits for them: the
// first two drain (a second time: at once), the last reloads keys and models. Returns when all is
// over. Errors: those of the ledger, a preloaded model, the socket; kInvalidArgument for a host
// beyond loopback without any key.
base::Status serve(const ServeConfig& config, const ServeHooks& hooks);

}  // namespace freehold::server
