// Files of C, compiled and loaded.
#pragma once
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace jot::test {

// JOT_TEST_CC: the compiler, by meson; empty: there is none.
inline bool has_c_compiler() { return *JOT_TEST_CC != 0; }

// A shared object of these files, in a folder that is removed.
class CLibrary {
 public:
  explicit CLibrary(const std::vector<std::string>& sources, const std::string& flags = "-O2",
                    const std::string& cc = JOT_TEST_CC) {
    std::string folder = (std::filesystem::temp_directory_path() / "jot-c-XXXXXX").string();
    if (!mkdtemp(folder.data())) throw std::runtime_error("no folder for a test's files");
    folder_ = folder;
    std::string command = "cd '" + folder + "' && '" + cc + "' -std=c99 -Wall -Wextra -Wpedantic -Werror " + flags +
                          " -shared -fPIC -o all.so";
    for (size_t i = 0; i < sources.size(); ++i) {
      const std::string name = "f" + std::to_string(i) + ".c";
      std::ofstream(folder_ / name) << sources[i];
      command += " " + name;
    }
    if (std::system((command + " -lm 2> errors").c_str()) != 0) {
      std::ifstream errors(folder_ / "errors");
      const std::string text{std::istreambuf_iterator<char>(errors), {}};
      std::filesystem::remove_all(folder_);
      throw std::runtime_error("the C compiler: " + text.substr(0, 2000));
    }
    handle_ = dlopen((folder_ / "all.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle_) throw std::runtime_error(dlerror());
  }
  ~CLibrary() {
    if (handle_) dlclose(handle_);
    std::filesystem::remove_all(folder_);
  }
  CLibrary(const CLibrary&) = delete;
  CLibrary& operator=(const CLibrary&) = delete;

  template <class F>
  F* symbol(const std::string& name) const {
    void* at = dlsym(handle_, name.c_str());
    if (!at) throw std::runtime_error(dlerror());
    return reinterpret_cast<F*>(at);
  }
  // int name(in, out, work), with memory for its work.
  int call(const std::string& name, const std::vector<const void*>& in, const std::vector<void*>& out) const {
    std::vector<double> work(static_cast<size_t>(symbol<size_t()>(name + "_work_bytes")()) / sizeof(double) + 1);
    return symbol<int(const void* const*, void* const*, void*)>(name)(in.data(), out.data(), work.data());
  }

 private:
  std::filesystem::path folder_;
  void* handle_ = nullptr;
};

}  // namespace jot::test
