#include "backends/cpu/runtime/code_memory.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace jot::cpu;

// mov eax, n; ret
std::array<std::byte, 6> returns(int n) {
  auto b = [](int x) { return static_cast<std::byte>(x & 255); };
  return {b(0xb8), b(n), b(n >> 8), b(n >> 16), b(n >> 24), b(0xc3)};
}

int run(const std::shared_ptr<const std::byte>& code) {
  return reinterpret_cast<int (*)()>(reinterpret_cast<uintptr_t>(code.get()))();
}

// Counts executable mappings; none may be writable too.
int executable_mappings() {
  std::ifstream maps("/proc/self/maps");
  int executable = 0;
  for (std::string line; std::getline(maps, line);) {
    std::string permissions = line.substr(line.find(' ') + 1, 4);
    executable += permissions[2] == 'x';
    CHECK_MESSAGE(!(permissions[1] == 'w' && permissions[2] == 'x'), line);
  }
  return executable;
}

}  // namespace

TEST_CASE("code memory: code runs, no page is writable and executable, memory is given back") {
  const size_t before = shared_code_bytes();
  {
    std::vector<std::shared_ptr<const std::byte>> codes;
    for (int i = 0; i < 1000; ++i) codes.push_back(make_executable(returns(i)));
    CHECK(executable_mappings() > 0);
    CHECK(shared_code_bytes() == before + 64 * 1000);
    for (int i = 0; i < 1000; ++i) CHECK(run(codes[static_cast<size_t>(i)]) == i);
    for (size_t i = 0; i < 1000; i += 2) codes[i] = nullptr;
    CHECK(shared_code_bytes() == before + 64 * 500);
    for (int i = 0; i < 1000; i += 2) codes[static_cast<size_t>(i)] = make_executable(returns(i + 5000));
    for (int i = 0; i < 1000; ++i) CHECK(run(codes[static_cast<size_t>(i)]) == (i % 2 ? i : i + 5000));
  }
  CHECK(shared_code_bytes() == before);
}

TEST_CASE("code memory: larger than an arena") {
  std::vector<std::byte> code(size_t{3} << 20, std::byte{0x90});
  auto tail = returns(7);
  code.insert(code.end(), tail.begin(), tail.end());
  auto memory = make_executable(code);
  CHECK(run(memory) == 7);
  executable_mappings();
}

TEST_CASE("code memory: a mapping of its own") {
  auto memory = make_executable_alone(returns(42));
  CHECK(run(memory) == 42);
  CHECK(executable_mappings() > 0);
}

TEST_CASE("code memory: many threads; no page is writable and executable while they make code and run it") {
  const size_t before = shared_code_bytes();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) wrong += run(make_executable(returns(t * 1000 + i))) != t * 1000 + i;
    });
  std::atomic<bool> done{false};
  std::thread alone([&] {
    for (int i = 0; i < 200 || !done; ++i) wrong += run(make_executable_alone(returns(i))) != i;
  });
  for (int i = 0; i < 50; ++i) CHECK(executable_mappings() > 0);  // while code is made and runs
  for (auto& t : threads) t.join();
  done = true;
  alone.join();
  CHECK(wrong == 0);
  CHECK(shared_code_bytes() == before);
}

TEST_CASE("code memory: after a fork nobody writes where the other process runs code") {
  const size_t before = shared_code_bytes();
  std::vector<std::shared_ptr<const std::byte>> codes;
  for (int i = 0; i < 100; ++i) codes.push_back(make_executable(returns(i)));
  int to_child[2], to_parent[2];
  REQUIRE(pipe(to_child) == 0);
  REQUIRE(pipe(to_parent) == 0);
  char byte = 0;
  pid_t child = fork();
  if (child == 0) {
    alarm(100);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (line.find("jot-code") != std::string::npos && line.find(" rw-s") != std::string::npos) _exit(2);
    for (int i = 0; i < 50; ++i) codes[static_cast<size_t>(i)] = make_executable(returns(i + 2000));
    if (write(to_parent[1], "x", 1) != 1 || read(to_child[0], &byte, 1) != 1) _exit(3);  // the parent does the same
    for (int i = 0; i < 100; ++i)
      if (run(codes[static_cast<size_t>(i)]) != (i < 50 ? i + 2000 : i)) _exit(4);
    _exit(0);
  }
  CHECK(read(to_parent[0], &byte, 1) == 1);
  for (int i = 0; i < 100; ++i) CHECK(run(codes[static_cast<size_t>(i)]) == i);
  codes.clear();
  for (int i = 0; i < 200; ++i) codes.push_back(make_executable(returns(i + 4000)));
  CHECK(write(to_child[1], "x", 1) == 1);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (int i = 0; i < 200; ++i) CHECK(run(codes[static_cast<size_t>(i)]) == i + 4000);
  codes.clear();
  CHECK(shared_code_bytes() == before);
  for (int end : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) close(end);
}
