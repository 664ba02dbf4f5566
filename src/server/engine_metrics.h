// The engines' numbers in Prometheus' text format, one label a model.
#pragma once

#include <string>

#include "server/models.h"

namespace freehold::server {

std::string engine_metrics(Models& models);

}  // namespace freehold::server
