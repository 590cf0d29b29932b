// Files as the formats see them. Everything throws FileError, in the name of the user's function and of the file.
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "jot/io.h"

namespace jot::detail {

// Whose errors: the function, the file and, within it, the tensor.
struct FileContext {
  std::string_view function;
  std::string path;
  Location at;
  std::string key = {};
  [[noreturn]] void fail(const std::string& what) const;
  FileContext of(const std::string& name) const { return {function, path, at, name}; }
};

// Bytes at places: a file, a part of one, or memory.
class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size() const = 0;
  // The caller has checked that [offset, offset + n) lies within.
  virtual void read(uint64_t offset, void* to, uint64_t n) const = 0;
  std::string text(uint64_t offset, uint64_t n) const {
    std::string bytes(n, '\0');
    read(offset, bytes.data(), n);
    return bytes;
  }
};

class InputFile final : public Source {
 public:
  explicit InputFile(const FileContext& context);
  ~InputFile() override;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  uint64_t size() const override { return size_; }
  void read(uint64_t offset, void* to, uint64_t n) const override;

 private:
  const FileContext& context_;
  int fd_;
  uint64_t size_;
};

class Part final : public Source {
 public:
  Part(const Source& whole, uint64_t offset, uint64_t size) : whole_(whole), offset_(offset), size_(size) {}
  uint64_t size() const override { return size_; }
  void read(uint64_t offset, void* to, uint64_t n) const override { whole_.read(offset_ + offset, to, n); }

 private:
  const Source& whole_;
  uint64_t offset_, size_;
};

class Memory final : public Source {
 public:
  explicit Memory(std::vector<unsigned char> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, void* to, uint64_t n) const override {
    if (n > 0) std::memcpy(to, bytes_.data() + offset, n);
  }

 private:
  std::vector<unsigned char> bytes_;
};

// Written beside its name; takes the name when it is complete, else it vanishes.
class OutputFile {
 public:
  explicit OutputFile(const FileContext& context);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void write(const void* bytes, uint64_t n);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void complete();

 private:
  const FileContext& context_;
  std::string target_, temporary_;
  int fd_;
};

// Integers of n bytes, the least significant first.
inline uint64_t little_endian(const void* bytes, int n) {
  uint64_t value = 0;
  for (int i = n; i-- > 0;) value = value << 8 | static_cast<const unsigned char*>(bytes)[i];
  return value;
}
inline void append_little_endian(std::string& out, uint64_t value, int n) {
  for (int i = 0; i < n; ++i, value >>= 8) out += static_cast<char>(value & 255);
}

// ---- tensors in files

// A shape and the bytes of its elements; fails where a tensor cannot have it.
struct FileShape {
  Shape shape;
  uint64_t bytes;
};
FileShape checked_shape(const FileContext& context, const std::vector<uint64_t>& extents, DType dtype);
// Uninitialised; fails where there is no memory.
Tensor new_tensor(const FileContext& context, DType dtype, const Shape& shape);
char* bytes_of(const Tensor& fresh);
// Of a tensor that has just been filled: any byte but 0 is true.
void normalise_booleans(const Tensor& fresh);
// Calls write(bytes, n) with the row-major elements.
void with_elements(const Tensor& x, std::string_view function, Location at,
                   const std::function<void(const void* bytes, uint64_t n)>& write);
void check_defined(const FileContext& context, const Tensor& x);

// An array in numpy's format, which fills the source.
Tensor read_npy(const FileContext& context, const Source& source);
std::string npy_header(DType dtype, const Shape& shape);

// RFC 1951. Fails where the stream is damaged or gives another number of bytes.
std::vector<unsigned char> inflated(const FileContext& context, const Source& deflated, uint64_t size);

}  // namespace jot::detail
