// A constraint on an answer that can tell, when the answer has ended, whether it was let end early.
#pragma once

#include "freehold/engine.h"

namespace freehold::server {

class BoundAnswer : public Constraint {
 public:
  // Whether the last end was allowed only because no token of the vocabulary could go on. Not to be
  // asked while the engine runs the request.
  bool stuck() const { return stuck_; }

 protected:
  bool stuck_ = false;
};

}  // namespace freehold::server
