// The models that are served, by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/model.h"

namespace freehold::server {

class Models {
 public:
  struct Entry {
    std::string name;
    int64_t created_s = 0;
    bool loaded = false;
  };

  virtual ~Models() = default;
  virtual std::vector<Entry> list() = 0;
  // The model, loaded if need be; it stays loaded as long as the pointer lives. Errors: kNotFound
  // with the list, kOverloaded when it can't be loaded now. May take as long as loading does.
  virtual ApiResult<std::shared_ptr<Model>> acquire(std::string_view name) = 0;
  // Those in memory now, for metrics.
  virtual std::vector<std::pair<std::string, std::shared_ptr<Model>>> loaded() = 0;
};

}  // namespace freehold::server
