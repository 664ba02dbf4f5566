// Owns the order in which a server's parts come and go, and its signals.
#include "server/serve.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "server/loaded_model.h"
#include "server/model_pool.h"

namespace freehold::server {
namespace {

uint64_t bytes_on_disk(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    return std::filesystem::file_size(path, error);
  }
  uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) sum += entry.file_size(error);
  }
  return sum;
}

// Counts prefix caches that could not be kept, and says so once until it works again.
class PrefixWatch {
 public:
  PrefixWatch(LogSink log, Metrics& metrics) : log_(std::move(log)), metrics_(metrics) {}
  void written(const base::Status& status) {
    const bool failed = !status;
    if (failed) metrics_.prefix_failures_total.fetch_add(1);
    if (failing_.exchange(failed) || !failed || !log_) return;
    log_({{"event", "prefix_not_kept"}, {"error", status.error().message}});
  }

 private:
  LogSink log_;
  Metrics& metrics_;
  std::atomic<bool> failing_{false};
};

std::vector<ModelPool::Source> sources_of(const ServeConfig& config, const LogSink& log,
                                          PrefixWatch& watch) {
  std::vector<ModelPool::Source> sources;
  for (const auto& model : config.models) {
    LoadOptions options{model.path, model.template_file, config.engine};
    options.engine.prefix_written = [&watch](const base::Status& status) { watch.written(status); };
    sources.push_back(
        {model.name, bytes_on_disk(model.path),
         [options, name = model.name, log]() -> base::Result<std::shared_ptr<Model>> {
           auto loaded = LoadedModel::load(options);
           if (!loaded) {
             if (log)
               log({{"event", "load_failed"}, {"model", name}, {"error", loaded.error().message}});
             return std::unexpected(std::move(loaded.error()));
           }
           const ModelInfo& info = (*loaded)->engine().info();
           if (log) {
             log({{"event", "loaded"},
                  {"model", name},
                  {"weights_bytes", info.weights_bytes},
                  {"kv_bytes", info.kv_bytes},
                  {"scratch_bytes", info.scratch_bytes},
                  {"context_tokens", info.context_tokens},
                  {"isa", info.isa},
                  {"threads", info.threads}});
           }
           return std::shared_ptr<Model>(std::move(*loaded));
         }});
  }
  return sources;
}

// Every connection is a descriptor; the soft limit is often far below what we allow.
void raise_descriptor_limit(uint64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&set, number);
  return set;
}

// The last goes first: models tell the service's metrics about their end.
struct Parts {
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<Service> service;
  std::unique_ptr<PrefixWatch> watch;
  std::unique_ptr<ModelPool> pool;
  std::unique_ptr<HttpServer> http;
};

base::Result<Parts> open_parts(const ServeConfig& config, const ServeHooks& hooks) {
  Parts parts;
  FREEHOLD_ASSIGN(parts.ledger, ledger::Ledger::open(config.ledger, ledger::Ledger::Role::kServer));
  FREEHOLD_ASSIGN(const bool keys, parts.ledger->has_keys());
  if (!keys && !is_loopback(config.http.host)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "host " + config.http.host +
                          " is reachable from outside and there is no key; make one with "
                          "`freehold keys add NAME`, or listen on 127.0.0.1");
  }
  parts.pool = std::make_unique<ModelPool>(config.models_bytes);
  ServiceOptions options{.limits = config.limits, .demand_keys = keys, .log = hooks.log};
  parts.service = std::make_unique<Service>(std::move(options), *parts.pool, parts.ledger.get());
  parts.watch = std::make_unique<PrefixWatch>(hooks.log, parts.service->metrics());
  parts.pool->set_sources(sources_of(config, hooks.log, *parts.watch));
  for (const auto& model : config.models) {
    if (!model.preload) continue;
    if (const auto loaded = parts.pool->acquire(model.name); !loaded) {
      return base::fail(base::ErrorCode::kIo,
                        "model `" + model.name + "`: " + loaded.error().message);
    }
  }
  HttpOptions http = config.http;
  http.limits = config.limits;
  raise_descriptor_limit(config.limits.connections + 512);
  FREEHOLD_ASSIGN(parts.http, HttpServer::open(http, *parts.service, parts.service->metrics()));
  return parts;
}

void reload(const ServeConfig& config, const ServeHooks& hooks, Parts& parts) {
  const auto keys = parts.ledger->has_keys();
  if (keys && (*keys || is_loopback(config.http.host))) parts.service->set_demand_keys(*keys);
  std::string outcome = "keys";
  if (hooks.reload) {
    const auto fresh = hooks.reload();
    if (fresh) {
      parts.pool->set_sources(sources_of(*fresh, hooks.log, *parts.watch));
      outcome = "keys and models";
    } else {
      outcome = "keys; the configuration is kept: " + fresh.error().message;
    }
  }
  if (hooks.log) hooks.log({{"event", "reloaded"}, {"what", outcome}});
}

}  // namespace

base::Status serve(const ServeConfig& config, const ServeHooks& hooks) {
  const sigset_t signals = our_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  FREEHOLD_ASSIGN(Parts parts, open_parts(config, hooks));
  if (hooks.ready) {
    hooks.ready(fmt::format("{}://{}:{}", parts.http->secure() ? "https" : "http", config.http.host,
                            parts.http->port()),
                parts.service->demands_keys());
  }
  const pthread_t waiter = pthread_self();
  std::thread server([&] {
    parts.http->run();
    pthread_kill(waiter, SIGUSR2);  // it is over: stop waiting for signals
  });
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0 || number == SIGUSR2) break;
    if (number == SIGHUP) {
      reload(config, hooks, parts);
      continue;
    }
    if (hooks.log) hooks.log({{"event", "draining"}, {"requests", parts.service->running()}});
    parts.service->drain();
    parts.http->drain();
  }
  server.join();
  parts.http.reset();
  while (parts.service->running() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  parts.ledger.reset();  // writes what is left and calls back while the service is there
  parts.pool.reset();    // models keep what they keep
  if (hooks.log) hooks.log({{"event", "stopped"}});
  return {};
}

}  // namespace freehold::server
