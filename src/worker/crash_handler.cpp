#include "worker/crash_handler.hpp"

#include <execinfo.h>
#include <link.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <pystream/crash.hpp>
#include <string>

/// Everything below a handler is async-signal-safe but backtrace(), which is called once before so that it has loaded
/// what it needs. Should it hang all the same (a fault within the dynamic loader), an alarm ends the process.
extern "C" void __asan_init() __attribute__((weak));  // NOLINT(bugprone-reserved-identifier): the sanitizer's own name
extern "C" void __tsan_init() __attribute__((weak));  // NOLINT(bugprone-reserved-identifier): the sanitizer's own name

namespace pystream::worker {
namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGXCPU};
constexpr std::size_t kStackBytes = 128 << 10;
constexpr unsigned kAlarmSeconds = 2;
constexpr std::size_t kModules = 256;

struct Module {
  std::uint64_t base = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  char path[shm::kModulePath] = {};
};

struct ModuleTable {
  std::array<Module, kModules> modules;
  std::atomic<std::size_t> size{0};
};

ModuleTable g_tables[2];
std::atomic<ModuleTable*> g_modules{&g_tables[0]};
shm::WorkerPage* g_page = nullptr;
std::atomic<long> g_crashing{0};  ///< the thread
std::atomic<StackWriter> g_stack_writer{nullptr};

bool sanitized() {
  return __asan_init != nullptr || __tsan_init != nullptr;
}

void copy_path(const char* path, char* to) {
  const std::size_t size = std::strlen(path);
  const std::size_t kept = std::min(size, shm::kModulePath - 1);
  std::memcpy(to, path + (size - kept), kept);
  to[kept] = '\0';
}

int note_module(dl_phdr_info* info, std::size_t, void* data) {
  ModuleTable& table = *static_cast<ModuleTable*>(data);
  const std::size_t index = table.size.load(std::memory_order_relaxed);
  if (index == kModules) {
    return 1;
  }
  Module& module = table.modules[index];
  module = {.base = info->dlpi_addr, .begin = ~std::uint64_t{0}, .end = 0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD) {
      module.begin = std::min<std::uint64_t>(module.begin, info->dlpi_addr + part.p_vaddr);
      module.end = std::max<std::uint64_t>(module.end, info->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
  }
  if (info->dlpi_name[0] != '\0') {
    copy_path(info->dlpi_name, module.path);
  } else {
    std::array<char, 4096> program{};
    const ssize_t size = ::readlink("/proc/self/exe", program.data(), program.size() - 1);
    copy_path(size > 0 ? program.data() : "", module.path);
  }
  table.size.store(index + 1, std::memory_order_relaxed);
  return 0;
}

std::uint64_t program_counter(const void* context) {
  [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  return 0;
#endif
}

/// Index of the module in the record, which gets it if it is new; kCrashModules if there is no room.
std::size_t module_in(shm::CrashRecord& record, const Module& module) {
  std::size_t index = 0;
  while (index < record.modules && std::strcmp(record.module[index], module.path) != 0) {
    ++index;
  }
  if (index == record.modules && index < shm::kCrashModules) {
    std::memcpy(record.module[index], module.path, sizeof(module.path));
    ++record.modules;
  }
  return index;
}

void add_frame(shm::CrashRecord& record, std::uint64_t address) {
  const std::uint32_t index = record.frames.load(std::memory_order_relaxed);
  if (index >= shm::kCrashFrames) {
    return;
  }
  shm::CrashRecord::Frame& frame = record.frame[index];
  frame = {.address = address, .place = 0};
  const ModuleTable& table = *g_modules.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < table.size.load(std::memory_order_relaxed); ++i) {
    const Module& module = table.modules[i];
    if (address >= module.begin && address < module.end) {
      if (const std::size_t place = module_in(record, module); place < shm::kCrashModules) {
        frame.place = (address - module.base) | (std::uint64_t{place + 1} << shm::kModuleShift);
      }
      break;
    }
  }
  record.frames.store(index + 1, std::memory_order_release);
}

void walk_stack(shm::CrashRecord& record, std::uint64_t pc) {
  std::array<void*, shm::kCrashFrames + 8> addresses{};
  const int count = ::backtrace(addresses.data(), static_cast<int>(addresses.size()));
  const auto end = addresses.begin() + count;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address from the processor, compared and never dereferenced
  const auto fault = std::find(addresses.begin(), end, reinterpret_cast<void*>(pc));
  if (fault == end) {
    add_frame(record, pc);  // a jump into nowhere: the walk may begin only behind it
  }
  for (auto at = fault == end ? addresses.begin() : fault; at != end; ++at) {
    add_frame(record, reinterpret_cast<std::uint64_t>(*at));
  }
}

void clear(shm::CrashRecord& record) {
  record.frames.store(0, std::memory_order_relaxed);
  record.modules = 0;
}

void write_stack() {
  if (const StackWriter writer = g_stack_writer.load(std::memory_order_relaxed)) {
    writer(STDERR_FILENO);
  }
}

/// The coordinator asks before it kills a worker that hangs. The stage goes on as if nothing had happened.
void on_stack_request(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  if (g_crashing.load(std::memory_order_relaxed) == 0) {
    shm::CrashRecord& record = g_page->crash;
    clear(record);
    record.signal.store(shm::kStackOnRequest, std::memory_order_release);
    walk_stack(record, program_counter(context));
    write_stack();
    g_page->stack_answers.fetch_add(1, std::memory_order_release);
  }
  errno = saved_errno;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const long thread = ::syscall(SYS_gettid);
  long nobody = 0;
  const bool first = g_crashing.compare_exchange_strong(nobody, thread);
  while (!first && nobody != thread) {  // NOLINT(bugprone-infinite-loop): the first thread ends the process
    ::pause();                          // another thread was faster; this one would only end its report
  }
  // The signal takes its course when this handler returns, in whatever thread comes first.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  if (first) {
    struct sigaction at_alarm {};
    at_alarm.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &at_alarm, nullptr);
    ::alarm(kAlarmSeconds);
    shm::CrashRecord& record = g_page->crash;
    clear(record);  // it may hold the answer to a stack request
    record.code = info->si_code;
    record.address = reinterpret_cast<std::uint64_t>(info->si_addr);
    record.thread = static_cast<std::uint64_t>(thread);
    record.signal.store(static_cast<std::uint32_t>(signal), std::memory_order_release);
    walk_stack(record, program_counter(context));
    write_stack();  // last, as it may itself fault or hang
  }
  // A fault comes again by itself, a signal that was sent does not.
  ::syscall(SYS_tgkill, ::getpid(), thread, signal);
  errno = saved_errno;
}

}  // namespace

void note_loaded_modules() {
  ModuleTable* current = g_modules.load(std::memory_order_acquire);
  ModuleTable* next = current == &g_tables[0] ? &g_tables[1] : &g_tables[0];
  next->size.store(0, std::memory_order_relaxed);
  ::dl_iterate_phdr(note_module, next);
  g_modules.store(next, std::memory_order_release);
}

int stack_signal() {
  return SIGRTMAX - 5;  // the first and the last few are popular with libraries
}

CrashHandler::CrashHandler(shm::WorkerPage& page) : page_(page) {
  clear(page.crash);
  page.crash.signal.store(0, std::memory_order_release);
  g_page = &page;
  if (sanitized()) {
    return;
  }
  std::array<void*, 2> warm_up{};
  ::backtrace(warm_up.data(), static_cast<int>(warm_up.size()));
  note_loaded_modules();
  stack_ = std::make_unique<std::byte[]>(kStackBytes);
  const stack_t stack{.ss_sp = stack_.get(), .ss_flags = 0, .ss_size = kStackBytes};
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : kSignals) {
    ::sigaction(signal, &action, nullptr);
  }
  action.sa_sigaction = on_stack_request;
  action.sa_flags |= SA_RESTART;
  if (::sigaction(stack_signal(), &action, nullptr) == 0) {
    page.takes_stack_requests.store(1, std::memory_order_release);
  }
}

CrashHandler::~CrashHandler() {
  if (!stack_) {
    return;
  }
  page_.takes_stack_requests.store(0, std::memory_order_release);
  std::signal(stack_signal(), SIG_IGN);  // one may be on its way
  for (const int signal : kSignals) {
    std::signal(signal, SIG_DFL);
  }
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  ::sigaltstack(&none, nullptr);
}

}  // namespace pystream::worker

void pystream::set_stack_writer(StackWriter writer) noexcept {
  worker::g_stack_writer.store(writer, std::memory_order_relaxed);
}
