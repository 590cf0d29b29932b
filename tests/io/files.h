// Files of these tests: a folder of their own, and bytes in and out.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/transforms/check.h"

namespace jot::test {

// A new folder, removed with all it has.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("jot_io_" + std::to_string(::getpid()) + "_" + next())) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  size_t count() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  static std::string next() {
    static int number = 0;
    return std::to_string(number++);
  }
  std::filesystem::path path_;
};

inline std::string bytes_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string data(const std::string& name) { return std::string(IO_DATA) + "/" + name; }

constexpr DType kDTypes[] = {boolean, u8, i32, i64, bf16, f16, f32, f64};
inline std::string name_of(DType d) { return d == boolean ? "boolean" : std::string(to_string(d)); }

// What tests/golden/io.py writes.
inline Tensor expected(DType d, const Shape& shape = {2, 3}) {
  Tensor i = arange(shape.numel(), f64);
  Tensor x = d == boolean ? i % 2 : d == u8 ? i : is_floating(d) ? (i - 1) / 4 : i - 1;
  return x.to(d).reshape(shape);
}

}  // namespace jot::test
