#include "core/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "core/storage/storage.h"

namespace jot::detail {

void FileContext::fail(const std::string& what) const {
  throw FileError("[" + std::string(function) + "] '" + path + "': " + (key.empty() ? "" : "key '" + key + "': ") +
                  what + jot::at(at));
}

namespace {

std::string reason() { return std::strerror(errno); }

}  // namespace

InputFile::InputFile(const FileContext& context)
    : context_(context), fd_(::open(context.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), size_(0) {
  if (fd_ < 0) context.fail("cannot be opened: " + reason());
  struct stat status;
  const bool known = ::fstat(fd_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    const std::string what = known ? "is no regular file" : "cannot be read: " + reason();
    ::close(fd_);
    context.fail(what);
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(fd_); }

void InputFile::read(uint64_t offset, void* to, uint64_t n) const {
  for (uint64_t done = 0; done < n;) {
    const ssize_t got = ::pread(fd_, static_cast<char*>(to) + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) context_.fail("cannot be read: " + reason());
    if (got == 0) context_.fail("has become shorter while it was read");
    done += static_cast<uint64_t>(got);
  }
}

OutputFile::OutputFile(const FileContext& context) : context_(context), target_(context.path) {
  std::error_code none_there;
  if (std::filesystem::is_symlink(target_, none_there)) {
    const auto behind = std::filesystem::weakly_canonical(target_, none_there);
    if (!none_there) target_ = behind.string();
  }
  static std::atomic<unsigned> number{0};
  do {
    temporary_ = target_ + "." + std::to_string(::getpid()) + "-" + std::to_string(number++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) context.fail("cannot be written: " + reason());
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void OutputFile::write(const void* bytes, uint64_t n) {
  for (uint64_t done = 0; done < n;) {
    const ssize_t put = ::write(fd_, static_cast<const char*>(bytes) + done, n - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) context_.fail("cannot be written: " + reason());
    done += static_cast<uint64_t>(put);
  }
}

void OutputFile::complete() {
  const bool closed = ::close(fd_) == 0;
  fd_ = -1;
  if (closed && ::rename(temporary_.c_str(), target_.c_str()) == 0) return;
  const std::string what = "cannot be written: " + reason();
  ::unlink(temporary_.c_str());
  context_.fail(what);
}

FileShape checked_shape(const FileContext& context, const std::vector<uint64_t>& extents, DType dtype) {
  constexpr size_t kMaxAxes = 16;
  constexpr uint64_t kMaxBytes = uint64_t{1} << 52;
  auto text = [&] {
    std::string list;
    for (uint64_t e : extents) list += (list.empty() ? "" : ",") + std::to_string(e);
    return "the shape [" + list + "]";
  };
  if (extents.size() > kMaxAxes)
    context.fail("expected at most " + std::to_string(kMaxAxes) + " axes, got " + std::to_string(extents.size()));
  Shape shape;
  bool empty = false;
  uint64_t bytes = static_cast<uint64_t>(size_of(dtype));
  for (uint64_t e : extents) {
    empty |= e == 0;
    // Without the extents of 0: others may not be absurd beside them.
    if (e > 0 && (__builtin_mul_overflow(bytes, e, &bytes) || bytes > kMaxBytes))
      context.fail(text() + " is too large");
    shape.push_back(static_cast<int64_t>(e));
  }
  return {shape, empty ? 0 : bytes};
}

Tensor new_tensor(const FileContext& context, DType dtype, const Shape& shape) {
  try {
    return empty(dtype, shape);
  } catch (const MemoryError& e) {
    context.fail(e.what());
  }
}

char* bytes_of(const Tensor& fresh) { return static_cast<char*>(fresh.impl()->storage->buffer.data()); }

void normalise_booleans(const Tensor& fresh) {
  if (fresh.dtype() != DType::boolean) return;
  char* bytes = bytes_of(fresh);
  for (int64_t i = 0, n = fresh.numel(); i < n; ++i) bytes[i] = bytes[i] != 0;
}

void with_elements(const Tensor& x, std::string_view function, Location at,
                   const std::function<void(const void* bytes, uint64_t n)>& write) {
  const std::string name(function);
  auto sink = [](const void* elements, DType dtype, int64_t n, void* out) {
    (*static_cast<const std::function<void(const void*, uint64_t)>*>(out))(
        elements, static_cast<uint64_t>(n) * static_cast<uint64_t>(size_of(dtype)));
  };
  read_elements(x, sink, const_cast<void*>(static_cast<const void*>(&write)), name.c_str(), at);
}

void check_defined(const FileContext& context, const Tensor& x) {
  if (!x.defined()) context.fail("expected a Tensor, got an undefined one");
}

}  // namespace jot::detail
