// The routes: what there is, who may use it, what each does. Everything between HTTP and the
// engine, free of sockets.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "ledger/ledger.h"
#include "server/admission.h"
#include "server/exchange.h"
#include "server/fields.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/models.h"
#include "server/shape.h"
#include "server/spec.h"

namespace freehold::server {

// Who asks.
struct Caller {
  ledger::Key key;         // the empty key where no keys are demanded
  std::string request_id;  // without prefix; unique
};

class Service;

enum class Policy {
  kClosed,  // what a route is unless it says otherwise: nobody
  kPublic,  // says nothing about anyone
  kKey,     // a valid key, where keys are demanded
};

struct Route {
  const char* method = "";
  const char* path = "";  // a last part of "*" takes any one segment
  Policy policy = Policy::kClosed;
  Dialect dialect = Dialect::kOpenAi;
  Reply (*handle)(Service& service, const Caller& caller, const Route& route,
                  const std::string& path, const std::string& body) = nullptr;
};

std::span<const Route> routes();

// A line for the log: structured, without contents.
using LogSink = std::function<void(const Json& record)>;

struct ServiceOptions {
  Limits limits;
  bool demand_keys = true;  // false only on loopback
  LogSink log;
};

class Service : public Handler {
 public:
  // All three must outlive the service and its jobs. `ledger` may be none: nothing is recorded.
  Service(ServiceOptions options, Models& models, ledger::Ledger* ledger);

  Admission admit(const HttpRequest& request) override;
  Reply handle(std::unique_ptr<Ticket> ticket, std::string body) override;
  Reply refusal(unsigned status, std::string_view message) override;

  void drain() { admission_.set_draining(); }
  bool demands_keys() const { return demand_keys_.load(); }
  void set_demand_keys(bool demand) { demand_keys_.store(demand); }
  uint32_t running() { return admission_.running(); }

  // What the handlers of routes work with.
  const Limits& limits() const { return options_.limits; }
  Models& models() { return models_; }
  ledger::Ledger* ledger() { return ledger_; }
  Metrics& metrics() { return metrics_; }
  // Starts an answer: finds the model, makes the prompts, enters, submits.
  using MakeShape = std::function<std::unique_ptr<Shape>(Head head)>;
  Reply start(const Caller& caller, const Route& route, Spec spec, const MakeShape& make_shape);
  // The model, if there is one by that name and the caller may use it.
  ApiResult<std::shared_ptr<Model>> model_for(const Caller& caller, std::string& name);
  ApiResult<freehold::server::Admission::Slot> enter(const Caller& caller, uint64_t prompt_tokens);
  Reply error(const ApiError& error, Dialect dialect);
  // Whether the engines make progress and usage can be written; the reason if not.
  std::string trouble();

 private:
  ApiResult<ledger::Key> authenticate(const HttpRequest& request);

  ServiceOptions options_;
  Models& models_;
  ledger::Ledger* ledger_;
  std::atomic<bool> demand_keys_;
  Metrics metrics_;
  freehold::server::Admission admission_;
};

}  // namespace freehold::server
