// One admitted request on its way: n choices in the engine, their events gathered, shaped,
// accounted for. Lives until the engine has ended every choice, also when the client has long gone.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "server/admission.h"
#include "server/answer.h"
#include "server/bound_answer.h"
#include "server/exchange.h"
#include "server/metrics.h"
#include "server/model.h"
#include "server/shape.h"

namespace freehold::server {

struct JobParts {
  std::shared_ptr<Model> model;
  Spec spec;
  // One for each choice. Choices of one prompt are neighbours and share its group number.
  struct Prompt {
    Model::Prompt prompt;
    uint32_t group = 0;
    std::shared_ptr<BoundAnswer> constraint = nullptr;
  };
  std::vector<Prompt> prompts;
  std::unique_ptr<Shape> shape;
  Dialect dialect = Dialect::kOpenAi;
  Admission::Slot slot;
  ledger::UsageStart usage;  // its request_id names the job
  std::string tenant;
  std::string payer;
  ledger::Ledger* ledger = nullptr;  // none: nothing is recorded
  Metrics* metrics = nullptr;
  Limits limits;
  std::function<void(const ledger::UsageStart&, const ledger::UsageEnd&, uint64_t first_token_us)>
      log;
};

class Job : public Exchange, public std::enable_shared_from_this<Job> {
 public:
  // Submits every choice. Errors: the engine's refusal (nothing is left running then).
  static ApiResult<std::shared_ptr<Job>> start(JobParts parts);
  explicit Job(JobParts parts);

  void on_ready(std::function<void()> wake) override;
  bool streams() const override { return parts_.spec.stream; }
  unsigned status() const override;
  bool allows_blank_lines() const override { return parts_.dialect == Dialect::kDeepSeek; }
  State pull(std::string& out) override;
  void pause(bool paused) override;
  void abandon() override;

 private:
  struct Running {  // one choice
    std::shared_ptr<BoundAnswer> constraint;
    std::unique_ptr<Stream> stream;
    std::unique_ptr<Answer> answer;
    Choice choice;
    bool told = false;  // choice_done was shaped
  };
  struct Arrived {
    uint32_t choice;
    Event event;
  };
  enum class Written { kNo, kYes, kFailed };

  ApiResult<void> submit_all();
  void record_begin();
  // The engine refused this choice: those before it end as cancelled, the rest never began.
  void give_up_from(uint32_t choice);
  void on_event(uint32_t choice, const Event& event);  // the engine's thread
  void on_begun(bool durable);                         // the ledger's
  void on_settled(bool durable);
  void take(const Arrived& arrived, std::string& out);
  void show(uint32_t choice, std::vector<Piece>& pieces, std::string& out);
  void fail(ApiError error);
  void check_deadline();
  // Once: what was used goes to the ledger. Called with nobody else touching the choices.
  void settle(Finish finish);
  Totals totals(bool final) const;
  State conclude(std::string& out);
  void wake();

  JobParts parts_;
  std::vector<Running> choices_;
  std::vector<Usage> usages_;  // by choice, from the engine's last event
  std::optional<ApiError> error_;
  bool begun_out_ = false;  // the shape's `begin` was sent
  bool committed_ = false;  // bytes are out, so the status is
  bool concluded_ = false;
  bool settling_ = false;
  uint64_t started_us_;
  uint64_t first_token_us_ = 0;
  uint64_t last_token_us_ = 0;
  uint64_t last_mark_us_;
  uint64_t last_out_us_;

  std::mutex mutex_;  // everything below
  std::vector<Arrived> arrived_;
  std::function<void()> wake_;
  uint32_t n_ended_ = 0;  // choices that the engine has ended
  bool abandoned_ = false;
  Written begun_ = Written::kNo;
  Written settled_ = Written::kNo;
};

}  // namespace freehold::server
