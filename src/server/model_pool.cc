// Owns which models are in memory. Loading happens on the thread that asks; a few more may wait
// for it, the rest are told to come back.
#include "server/model_pool.h"

#include <algorithm>
#include <utility>

namespace freehold::server {
namespace {

constexpr uint32_t kWaiting = 2;  // threads that may wait for loading, so that others still serve

ApiError come_back(std::string message) {
  return {.kind = ApiError::Kind::kOverloaded, .message = std::move(message), .retry_after_s = 10};
}

}  // namespace

void ModelPool::set_sources(std::vector<Source> sources) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Place, std::less<>> places;
  for (auto& source : sources) {
    Place place;
    const std::string name = source.name;
    if (const auto old = places_.find(name); old != places_.end()) place = std::move(old->second);
    // What a loaded model has taken is known better than what its file says.
    if (place.model) source.bytes = std::max(source.bytes, place.source.bytes);
    place.source = std::move(source);
    places.emplace(name, std::move(place));
  }
  places_.swap(places);
}

std::vector<Models::Entry> ModelPool::list() {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  for (const auto& [name, place] : places_) {
    entries.push_back({name, place.model ? place.model->created_s() : 0, place.model != nullptr});
  }
  return entries;
}

std::vector<std::pair<std::string, std::shared_ptr<Model>>> ModelPool::loaded() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::shared_ptr<Model>>> out;
  for (const auto& [name, place] : places_) {
    if (place.model) out.emplace_back(name, place.model);
  }
  return out;
}

bool ModelPool::make_room(uint64_t bytes, std::vector<std::shared_ptr<Model>>& dropped) {
  if (budget_bytes_ == 0) return true;
  std::vector<Place*> idle;
  uint64_t n_loaded = 0;
  uint64_t used = bytes;
  for (auto& [name, place] : places_) {
    if (!place.model) continue;
    ++n_loaded;
    used += place.source.bytes;
    if (place.model.use_count() == 1) idle.push_back(&place);
  }
  std::ranges::sort(idle, {}, &Place::used);
  size_t n_drop = 0;
  for (; used > budget_bytes_ && n_drop < idle.size(); ++n_drop) {
    used -= idle[n_drop]->source.bytes;
  }
  // One that is larger than all there is may still be loaded alone.
  if (used > budget_bytes_ && n_drop < n_loaded) return false;
  for (size_t i = 0; i < n_drop; ++i) dropped.push_back(std::exchange(idle[i]->model, nullptr));
  return true;
}

ApiResult<std::shared_ptr<Model>> ModelPool::acquire(std::string_view name) {
  std::vector<std::shared_ptr<Model>> dropped;
  std::function<base::Result<std::shared_ptr<Model>>()> load;
  std::unique_lock lock(mutex_);
  auto found = places_.find(name);
  while (found != places_.end() && found->second.loading) {
    if (waiting_ >= kWaiting) return std::unexpected(come_back("the model is being loaded"));
    ++waiting_;
    loaded_.wait(lock);
    --waiting_;
    found = places_.find(name);
  }
  if (found == places_.end()) {
    std::string names;
    for (const auto& [known, place] : places_) names += (names.empty() ? "" : ", ") + known;
    return std::unexpected(ApiError{.kind = ApiError::Kind::kNotFound,
                                    .message = "there is no such model; there are: " + names,
                                    .param = "model",
                                    .code = "model_not_found"});
  }
  found->second.used = ++turn_;
  if (found->second.model) return found->second.model;
  const bool busy = std::ranges::any_of(places_, [](const auto& p) { return p.second.loading; });
  if (busy) return std::unexpected(come_back("another model is being loaded"));
  if (!make_room(found->second.source.bytes, dropped)) {
    return std::unexpected(come_back("other models are in use and leave no room for this one"));
  }
  found->second.loading = true;
  load = found->second.source.load;
  lock.unlock();
  dropped.clear();
  auto model = load();
  lock.lock();
  found = places_.find(name);
  if (found != places_.end()) {
    found->second.loading = false;
    if (model) {
      found->second.model = *model;
      // What it has taken, with its cache: more than its file said.
      const ModelInfo& info = (*model)->engine().info();
      const uint64_t bytes = info.weights_bytes + info.kv_bytes + info.scratch_bytes;
      found->second.source.bytes = std::max(found->second.source.bytes, bytes);
    }
  }
  loaded_.notify_all();
  if (!model) return std::unexpected(come_back("the model can't be loaded now"));
  return *model;
}

}  // namespace freehold::server
