#include "launch.h"

#include <ucontext.h>

#include <memory>

namespace cudasim {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t stack_bytes = 64 * 1024;

// Runs threads of a block, one after another, until one waits for the others: that one keeps the
// stack, and another fiber goes on with the next thread. Most kernels never wait.
struct Fiber {
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  ucontext_t context{};
  unsigned thread = 0;
  bool finished = true;
};

ucontext_t scheduler;
Fiber *current = nullptr;
const HostKernel *running = nullptr;
void **running_arguments = nullptr;
unsigned next_thread = 0;

void enter_fiber() {
  while (next_thread < block_size.x) {
    current->thread = next_thread++;
    thread_index = {current->thread, 0, 0};
    running->call(running_arguments);
  }
  current->finished = true;
  swapcontext(&current->context, &scheduler);
}

void start(Fiber &fiber) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = stack_bytes;
  fiber.context.uc_link = &scheduler;
  fiber.finished = false;
  makecontext(&fiber.context, enter_fiber, 0);
}

void resume(Fiber &fiber) {
  current = &fiber;
  thread_index = {fiber.thread, 0, 0};
  swapcontext(&scheduler, &fiber.context);
}

std::vector<std::unique_ptr<Fiber>> spare;

std::unique_ptr<Fiber> take_fiber() {
  if (spare.empty()) return std::make_unique<Fiber>();
  std::unique_ptr<Fiber> fiber = std::move(spare.back());
  spare.pop_back();
  return fiber;
}

void run_block() {
  std::vector<std::unique_ptr<Fiber>> waiting;
  next_thread = 0;
  while (next_thread < block_size.x) {
    std::unique_ptr<Fiber> fiber = take_fiber();
    start(*fiber);
    resume(*fiber);
    (fiber->finished ? spare : waiting).push_back(std::move(fiber));
  }
  while (!waiting.empty()) {
    std::vector<std::unique_ptr<Fiber>> still;
    for (std::unique_ptr<Fiber> &fiber : waiting) {
      resume(*fiber);
      (fiber->finished ? spare : still).push_back(std::move(fiber));
    }
    waiting = std::move(still);
  }
}

}  // namespace

void synchronise_threads() { swapcontext(&current->context, &scheduler); }

void run_kernel(const HostKernel &kernel, Index grid, Index block, void **arguments) {
  running = &kernel;
  running_arguments = arguments;
  grid_size = grid;
  block_size = block;
  for (unsigned y = 0; y < grid.y; y++) {
    for (unsigned x = 0; x < grid.x; x++) {
      block_index = {x, y, 0};
      run_block();
    }
  }
}

}  // namespace cudasim
