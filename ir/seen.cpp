#include "ir/seen.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "ir/env.h"
#include "ir/fork.h"
#include "ir/json.h"
#include "ir/log.h"
#include "ir/page.h"

namespace jot::seen {

constinit std::atomic<uint8_t> mode = 0;

uint8_t find_mode() {
  const Env* read = nullptr;
  try {
    read = &env();
  } catch (const Error&) {  // whoever asks for it is told
    return kKnown;
  }
  const Env& e = *read;
  const bool page = !e.trace_dir.empty();
  const auto found = static_cast<uint8_t>(kKnown | (page || e.perf || e.gdb ? kLines : 0) | (page ? kPage : 0));
  mode.store(found, std::memory_order_relaxed);
  return found;
}

// ---- what is written

void Sink::block(std::string_view kind, uint64_t id, std::string_view title, std::string_view json, uint64_t of) {
  page += "<script type=\"application/json\" data-kind=\"";
  page += kind;
  page += "\" data-id=\"" + std::to_string(id) + "\" data-of=\"" + std::to_string(of) + "\" data-title=\"" +
          html_escaped(title) + "\">";
  append_script(page, json);
  page += "</script>\n";
}

namespace {
// Where a source file is: a relative name is of the folder where the program was compiled, perhaps one above it.
std::filesystem::path found_source(std::string_view file) {
  const std::filesystem::path name(file);
  std::error_code ignored;
  if (name.is_absolute() || std::filesystem::exists(name, ignored)) return name;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (std::filesystem::path folder = program.parent_path(); folder != folder.parent_path();
       folder = folder.parent_path())
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
  return name;
}
}  // namespace

void Sink::source(std::string_view file) {
  constexpr size_t kMost = 1 << 20;
  if (file.empty() || std::ranges::find(files_, file) != files_.end()) return;
  files_.emplace_back(file);
  std::ifstream in(found_source(file), std::ios::binary);
  if (!in) return;
  std::string text(kMost, '\0');
  in.read(text.data(), static_cast<std::streamsize>(kMost));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.find('\0') == std::string::npos) block("source", 0, file, ir::json_quoted(text));
}

void Sink::span(const Span& s) {
  const auto microseconds = [](auto time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count() / 1000.0);
  };
  trace += "{\"ph\":\"X\",\"pid\":" + std::to_string(getpid()) + ",\"tid\":" + std::to_string(s.thread) +
           ",\"name\":" + ir::json_quoted(s.name) + ",\"cat\":" + ir::json_quoted(s.category) +
           ",\"ts\":" + microseconds(s.begin.time_since_epoch()) + ",\"dur\":" + microseconds(s.length);
  if (!s.line.empty()) trace += ",\"args\":{\"line\":" + ir::json_quoted(s.line) + "}";
  trace += "},\n";
}

namespace {
[[noreturn]] void cannot_write(const std::string& file) {
  throw Error("[trace] cannot write " + file + ": " + std::strerror(errno) +
              "; JOT_TRACE_DIR must name a writable folder");
}

// A file that grows. Another process that has it open for writing gets one of its own.
class File {
 public:
  File(const std::filesystem::path& folder, const std::string& name, const std::string& ending) {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    path_ = folder / (name + ending);
    if (!open_locked()) {
      path_ = folder / (name + "-" + std::to_string(getpid()) + ending);
      if (!open_locked()) cannot_write(path_.string());
    }
    if (ftruncate(descriptor_, 0) != 0) cannot_write(path_.string());
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void append(std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(descriptor_, text.data() + at, text.size() - at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) cannot_write(path_.string());
      at += static_cast<size_t>(n);
    }
    text.clear();
  }

 private:
  bool open_locked() {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) cannot_write(path_.string());
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return true;
    close(descriptor_);
    return false;
  }
  std::filesystem::path path_;
  int descriptor_ = -1;
};

std::string program_name() {
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "a program" : path.filename().string();
}
}  // namespace

// Writes what is posted. One a process, made by the first post; a child of a fork has its own.
class Writer {
 public:
  Writer()
      : page_(env().trace_dir, "index", ".html"), trace_(env().trace_dir, "trace", ".json"), thread_(start_thread()) {}

  void post(std::unique_ptr<const Event> event, bool at_end) {
    {
      ForkSafeLock lock(mutex_);
      if (ended_) return;
      (at_end ? last_ : posted_).push_back(std::move(event));
    }
    if (!at_end) some_.notify_one();
  }

  void finish() {
    {
      ForkSafeLock lock(mutex_);
      ended_ = true;
    }
    some_.notify_one();
    thread_.join();
    write(posted_);
    write(last_);
  }

 private:
  // It takes no signals.
  std::thread start_thread() {
    const std::string name = program_name();
    sink_.page = page_head("jot: " + name);
    sink_.trace = "[\n{\"ph\":\"M\",\"pid\":" + std::to_string(getpid()) +
                  ",\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":" + ir::json_quoted(name) + "}},\n";
    flush();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread started([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  void run() {
    while (true) {
      std::vector<std::unique_ptr<const Event>> now;
      {
        std::unique_lock lock(mutex_);
        some_.wait(lock, [this] { return ended_ || !posted_.empty(); });
        if (ended_) return;
        now.swap(posted_);
      }
      write(now);
    }
  }

  // A page is for people: what goes wrong with it does not end the program.
  void write(std::vector<std::unique_ptr<const Event>>& events) {
    for (const std::unique_ptr<const Event>& event : events) {
      if (failed_) break;
      try {
        event->write(sink_);
        flush();
      } catch (const std::exception& e) {
        failed_ = true;
        log("trace", e.what());
      }
    }
    events.clear();
  }
  void flush() {
    page_.append(sink_.page);
    trace_.append(sink_.trace);
  }

  File page_, trace_;
  Sink sink_;
  std::mutex mutex_;
  std::condition_variable some_;
  std::vector<std::unique_ptr<const Event>> posted_, last_;
  bool ended_ = false, failed_ = false;
  std::thread thread_;
};

namespace {
constinit std::mutex making;
constinit std::atomic<Writer*> writer = nullptr;

// At the end of the process, after the destructors of static objects, which may still post.
[[gnu::destructor]] void finish_at_exit() {
  if (Writer* w = writer.load()) w->finish();
}
// In a child of a fork the writer's thread is gone: it gets another, which is never mixed with the parent's.
ForkHandlers child_begins([]() noexcept {}, []() noexcept { writer.store(nullptr); });

Writer& get_writer() {
  if (Writer* w = writer.load(std::memory_order_acquire)) return *w;
  ForkSafeLock lock(making);
  if (Writer* w = writer.load(std::memory_order_acquire)) return *w;
  auto* made = new Writer;  // outlives static objects
  writer.store(made, std::memory_order_release);
  return *made;
}
}  // namespace

void post(std::unique_ptr<const Event> event) { get_writer().post(std::move(event), false); }
void post_at_end(std::unique_ptr<const Event> event) { get_writer().post(std::move(event), true); }

uint64_t next_id() {
  static constinit std::atomic<uint64_t> last = 0;
  return ++last;
}

uint32_t thread_number() {
  static constinit std::atomic<uint32_t> last = 0;
  static thread_local const uint32_t number = ++last;
  return number;
}

// ---- stages

thread_local Stages* Stages::innermost_ = nullptr;
Stages::Stages() : outer_(innermost_) { innermost_ = this; }
Stages::~Stages() { innermost_ = outer_; }

}  // namespace jot::seen
