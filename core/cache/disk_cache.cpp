#include "core/cache/disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "ir/env.h"
#include "ir/log.h"

namespace jot {

namespace {

constexpr std::string_view kEnding = ".jotx", kPartial = ".partial";
constexpr time_t kForgotten = 3600;  // seconds: a file half written is then nobody's any more

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  operator int() const { return descriptor_; }
  bool close() { return ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_;
};

[[noreturn]] void fail(const char* doing, const std::string& path, std::string_view why) {
  throw CacheError("[" + std::string(doing) + "] " + path + ": " + std::string(why));
}

// Why what is there is not for this process alone to change; empty: it is.
std::string_view not_own(const struct stat& s) {
  if (s.st_uid != geteuid()) return "it belongs to another user";
  if (s.st_mode & (S_IWGRP | S_IWOTH)) return "others may write to it: expected write permission for its owner alone";
  return {};
}

}  // namespace

Contents read_file(const std::string& path, bool own) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (own ? O_NOFOLLOW : 0)));
  struct stat s;
  if (file < 0 || fstat(file, &s) != 0) fail("load", path, std::strerror(errno));
  if (!S_ISREG(s.st_mode)) fail("load", path, "expected a plain file");
  if (std::string_view why = own ? not_own(s) : ""; !why.empty()) fail("load", path, why);
  const auto size = static_cast<size_t>(s.st_size);
  const Buffer memory = Buffer::allocate(s.st_size);  // recycled, or its pages at once
  auto* bytes = static_cast<std::byte*>(memory.data());
  size_t have = 0;
  while (have < size) {
    const ssize_t n = ::read(file, bytes + have, size - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("load", path, std::strerror(errno));
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  if (own) futimens(file, nullptr);  // used now
  return {std::shared_ptr<const std::byte[]>(bytes, [memory](const std::byte*) {}), have};
}

void write_file(const std::string& path, std::span<const std::byte> contents) {
  static std::atomic<uint64_t> written{0};
  const std::string partial =
      path + "." + std::to_string(getpid()) + "." + std::to_string(++written) + std::string(kPartial);
  File file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file < 0) fail("save", path, std::strerror(errno));
  auto give_up = [&] {
    const int reason = errno;
    ::unlink(partial.c_str());
    fail("save", path, std::strerror(reason));
  };
  for (size_t done = 0; done < contents.size();) {
    const ssize_t n = ::write(file, &contents[done], contents.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) give_up();
    done += static_cast<size_t>(n);
  }
  if (!file.close() || ::rename(partial.c_str(), path.c_str()) != 0) give_up();
}

DiskCache::DiskCache(std::string folder, int64_t limit) : folder_(std::move(folder)), limit_(limit) {
  std::error_code error;
  if (auto parent = std::filesystem::path(folder_).parent_path(); !parent.empty())
    std::filesystem::create_directories(parent, error);
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) fail("JOT_CACHE_DIR", folder_, std::strerror(errno));
  struct stat s;
  if (::stat(folder_.c_str(), &s) != 0) fail("JOT_CACHE_DIR", folder_, std::strerror(errno));
  if (!S_ISDIR(s.st_mode)) fail("JOT_CACHE_DIR", folder_, "expected a folder");
  if (std::string_view why = not_own(s); !why.empty()) fail("JOT_CACHE_DIR", folder_, why);
}

std::string DiskCache::path(const Digest& name) const { return folder_ + "/" + to_hex(name) + std::string(kEnding); }

std::shared_ptr<const CompiledGraph> DiskCache::find(const Digest& name, const LazyGraph& graph) const {
  const std::string file = path(name);
  if (::access(file.c_str(), F_OK) != 0) {
    if (env().log_cache) log("cache", "disk: miss, " + file);
    return nullptr;
  }
  try {
    std::shared_ptr<const CompiledGraph> found = from_bytes(read_file(file, true), graph).compiled;
    if (!found) throw CacheError("[load] another version of jot wrote it");
    if (env().log_cache) log("cache", "disk: hit, " + file);
    return found;
  } catch (const Error& e) {
    log("cache", file + " is not used, but compiled anew: " + e.what());
    return nullptr;
  }
}

void DiskCache::insert(const Digest& name, const CompiledGraph& compiled) const {
  try {
    const std::vector<std::byte> bytes = to_bytes(compiled, GraphText::none);
    if (static_cast<int64_t>(bytes.size()) > limit_) return;
    write_file(path(name), bytes);
    const std::lock_guard lock(mutex_);
    if (total_ >= 0) total_ += static_cast<int64_t>(bytes.size());
    if (total_ < 0 || total_ > limit_) evict();
    if (env().log_cache) log("cache", "disk: kept, " + std::to_string(bytes.size()) + " bytes, " + path(name));
  } catch (const Error& e) {
    static std::atomic<bool> told{false};  // the next would fail likewise
    if (!told.exchange(true)) log("cache", std::string("nothing is kept on disk: ") + e.what());
  }
}

// Lists the folder, which costs microseconds a file: the first time, and when there are too many bytes. Then an eighth
// of the limit is freed, so that this does not happen at every file. What other processes write is seen then.
void DiskCache::evict() const {
  struct Entry {
    std::string path;
    timespec used;
    int64_t bytes;
  };
  std::vector<Entry> entries;
  total_ = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(folder_.c_str()), closedir);
  if (!folder) return;
  while (const dirent* e = readdir(folder.get())) {
    const std::string_view name = e->d_name;
    const std::string file = folder_ + "/" + e->d_name;
    struct stat s;
    if (::stat(file.c_str(), &s) != 0) continue;
    if (name.ends_with(kPartial) && s.st_mtime + kForgotten < std::time(nullptr)) ::unlink(file.c_str());
    if (!name.ends_with(kEnding)) continue;
    entries.push_back({file, s.st_mtim, s.st_size});
    total_ += s.st_size;
  }
  if (total_ <= limit_) return;
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Entry& e : entries) {
    if (total_ <= limit_ - limit_ / 8) break;
    ::unlink(e.path.c_str());
    total_ -= e.bytes;
  }
}

const DiskCache* disk_cache() {
  static const DiskCache* cache = []() -> const DiskCache* {
    if (env().cache_dir.empty()) return nullptr;
    try {
      return new DiskCache(env().cache_dir, env().cache_limit);
    } catch (const Error& e) {
      log("cache", std::string("nothing is kept on disk: ") + e.what());
      return nullptr;
    }
  }();
  return cache;
}

}  // namespace jot
