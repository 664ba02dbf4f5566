// Owns what every model has, whatever it is made of.
#include "server/model.h"

#include "server/guide_cache.h"

namespace freehold::server {

Model::Model() : guides_(std::make_unique<GuideCache>()) {}
Model::~Model() = default;

}  // namespace freehold::server
