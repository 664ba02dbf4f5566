#include "interrupt.h"

#include <csignal>

namespace freehold::app {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) { interrupted = true; }

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: reads end with EINTR
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

InterruptFlag::InterruptFlag() {
  interrupted = false;
  handle(on_interrupt);
}

InterruptFlag::~InterruptFlag() { handle(SIG_DFL); }

const std::atomic<bool>& InterruptFlag::flag() { return interrupted; }

bool InterruptFlag::take() { return interrupted.exchange(false); }

}  // namespace freehold::app
