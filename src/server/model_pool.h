// Models by name, loaded on demand and unloaded, least recently used first, to stay within a
// budget of memory. A model in use is never unloaded.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "server/models.h"

namespace freehold::server {

class ModelPool : public Models {
 public:
  struct Source {
    std::string name;
    uint64_t bytes = 0;  // what it will take, roughly; 0: unknown
    std::function<base::Result<std::shared_ptr<Model>>()> load;
  };

  // `budget_bytes` 0: no limit. A model larger than the budget is loaded alone.
  explicit ModelPool(uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  // What there is from now on. Loaded models that are no longer named go when nobody uses them.
  void set_sources(std::vector<Source> sources);

  std::vector<Entry> list() override;
  ApiResult<std::shared_ptr<Model>> acquire(std::string_view name) override;
  std::vector<std::pair<std::string, std::shared_ptr<Model>>> loaded() override;

 private:
  struct Place {
    Source source;
    std::shared_ptr<Model> model;
    bool loading = false;
    uint64_t used = 0;  // turn of the last use
  };

  // Drops idle models, the least used first, until `bytes` more fit; false, and nothing dropped,
  // when those in use leave too little. The models are handed out, to be destroyed without the
  // lock.
  bool make_room(uint64_t bytes, std::vector<std::shared_ptr<Model>>& dropped);

  std::mutex mutex_;
  std::condition_variable loaded_;
  std::map<std::string, Place, std::less<>> places_;
  uint64_t budget_bytes_;
  uint64_t turn_ = 0;
  uint32_t waiting_ = 0;
};

}  // namespace freehold::server
