#include "support/instruction_stepper.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <new>

#include "support/child.hpp"
#include "support/link.hpp"
#include "support/tracee.hpp"

/// A clock that is read again whenever its page changes meanwhile, as the vdso's are: code of a section of its own.
/// The linker names the section's ends.
extern "C" const char __start_retried_clock[];  // NOLINT
extern "C" const char __stop_retried_clock[];   // NOLINT

namespace pystream::test {
namespace {

struct ClockPage {
  std::uint64_t sequence = 0;
  std::uint64_t time = 0;
};

__attribute__((noinline, section("retried_clock"), no_sanitize("address", "undefined"))) std::uint64_t read_clock(
    const ClockPage* page) {
  while (true) {
    const std::uint64_t before = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
    const std::uint64_t time = __atomic_load_n(&page->time, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE) == before) {
      return time;
    }
  }
}

CodeRange clock_code() {
  return {.begin = reinterpret_cast<std::uintptr_t>(__start_retried_clock),
          .end = reinterpret_cast<std::uintptr_t>(__stop_retried_clock)};
}

constexpr std::uint64_t kFarTooMany = 100'000;  ///< instructions
constexpr int kReads = 20;

class InstructionStepperTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if !defined(__x86_64__)
    GTEST_SKIP() << "the stepper passes nothing over on this processor: it knows x86-64 only";
#endif
    void* memory = ::mmap(nullptr, sizeof(ClockPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    page_ = new (memory) ClockPage;
  }
  void TearDown() override {
    if (page_ != nullptr) {
      ::munmap(page_, sizeof(ClockPage));
    }
  }
  /// As a kernel whose tick falls between any two steps.
  void tick() {
    __atomic_fetch_add(&page_->time, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&page_->sequence, 1, __ATOMIC_RELEASE);
  }

  ClockPage* page_ = nullptr;
};

TEST_F(InstructionStepperTest, AClockThatTicksAtEveryStepIsReadAllTheSame) {
  SteppedChild child(
      [this] {
        step_mark();
        for (int i = 0; i < kReads; ++i) {
          read_clock(page_);
        }
        step_mark();
      },
      clock_code());
  while (child.steps() < kFarTooMany && child.step()) {
    ASSERT_FALSE(child.inside_passed_code()) << "step " << child.steps();
    tick();
  }
  EXPECT_TRUE(child.reached_end()) << "after " << child.steps() << " steps";
  EXPECT_EQ(child.passes(), static_cast<std::uint64_t>(kReads));
}

/// The negative control: this clock does hold up whoever steps through it.
TEST_F(InstructionStepperTest, SteppedThroughThatClockNeverEnds) {
  SteppedChild child([this] {
    step_mark();
    read_clock(page_);
    step_mark();
  });
  while (child.steps() < 5'000 && child.step()) {
    tick();
  }
  EXPECT_TRUE(child.running());
}

TEST_F(InstructionStepperTest, NoStopIsWithinTheVdso) {
  if (!vdso_of(::getpid())) {
    GTEST_SKIP() << "this kernel maps no vdso";
  }
  SteppedChild child([] {
    step_mark();
    timespec time{};
    for (int i = 0; i < kReads; ++i) {
      ::clock_gettime(i % 2 == 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time);
    }
    if (time.tv_sec == 0) {
      ::_exit(1);  // the call was cut short
    }
    step_mark();
  });
  while (child.steps() < kFarTooMany && child.step()) {
    ASSERT_FALSE(child.inside_passed_code()) << "step " << child.steps();
  }
  EXPECT_TRUE(child.reached_end()) << "after " << child.steps() << " steps";
  EXPECT_EQ(child.passes(), static_cast<std::uint64_t>(kReads));
}

/// A kernel's true ticks: the child rests so long after every third step that one falls into each look at the clock.
TEST_F(InstructionStepperTest, ASlowTracerGetsThroughTheKernelsClock) {
  SteppedChild child([] {
    step_mark();
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    step_mark();
  });
  while (child.steps() < 3'000 && child.step()) {
    if (child.steps() % 3 == 0) {
      ::usleep(3'000);
    }
  }
  EXPECT_TRUE(child.reached_end()) << "after " << child.steps() << " steps";
}

TEST_F(InstructionStepperTest, ATraceeOfAnotherProgramPassesTheVdsoToo) {
  if (!vdso_of(::getpid())) {
    GTEST_SKIP() << "this kernel maps no vdso";
  }
  const Child child([] {
    timespec time{};
    while (true) {
      ::clock_gettime(CLOCK_MONOTONIC, &time);
    }
  });
  // Most of its time it is in the vdso.
  for (int i = 0; i < 20; ++i) {
    InstructionStepper place(child.pid());
    Tracee sut(child.pid());
    for (int step = 0; step < 200; ++step) {
      ASSERT_FALSE(place.inside()) << "stop " << step;
      ASSERT_TRUE(sut.step());
      place.forget_place();
    }
    sut.detach();
  }
}

/// What is sent to a process meanwhile reaches it.
TEST_F(InstructionStepperTest, ASignalThatComesMeanwhileIsDelivered) {
  static ClockPage* page = nullptr;  // the handler gets nothing else
  page = page_;
  const Child child([] {
    ::signal(SIGUSR1, [](int) { page->sequence = 1; });
    page->time = 1;
    timespec time{};
    while (true) {
      ::clock_gettime(CLOCK_MONOTONIC, &time);
    }
  });
  const auto get = [](const std::uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); };
  ASSERT_TRUE(wait_until([&] { return get(page->time) == 1; }));
  Tracee sut(child.pid());
  child.signal(SIGUSR1);
  std::uint64_t steps = 0;
  while (get(page->sequence) == 0 && steps < kFarTooMany && sut.step()) {
    ++steps;
  }
  EXPECT_EQ(get(page->sequence), 1U);
  sut.detach();
}

}  // namespace
}  // namespace pystream::test
