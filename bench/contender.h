// A contender: one library on one workload. The driver (bench/run.py) starts one process for each, reads its line of
// facts, and asks for samples in turn, so that all are measured side by side.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bench {

enum class Size : uint8_t { full, toy };  // toy: the smoke run of the tests

using Figures = std::map<std::string, int64_t>;

// What is measured. `call` computes everything anew and waits for it; `results` are those of the last call, flat.
struct Job {
  std::function<void()> call;
  std::function<std::vector<std::vector<double>>()> results;
  std::function<Figures()> stats = [] { return Figures(); };  // of what was compiled
};

struct Contender {
  std::string name, workload;
  // What keeps it from running here ("waits for cholesky"); empty: nothing.
  std::string absent;
  std::function<Job(Size)> make;
  std::string version = "";
  bool one_thread = false;  // whatever the number of processors
};

// What this program can measure. Each program of the bench (worker.cpp) is linked with one definition.
std::vector<Contender> contenders();
void add_jot_loops(std::vector<Contender>& all);
void add_jot_programs(std::vector<Contender>& all);
void add_direct(std::vector<Contender>& all);
void add_cpp_peers(std::vector<Contender>& all);

// The same numbers for every contender, in every language: element i of stream `seed`, uniform in [-1/2, 1/2), from the
// splitmix64 generator (Steele, Lea, Flood 2014). bench/peers/worker.py has its twin.
inline double uniform(uint64_t seed, uint64_t i) {
  uint64_t z = seed * 0x9e3779b97f4a7c15u + (i + 1) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53 - 0.5;
}

inline const std::string kData = JOT_BENCH_DATA, kBaFile = JOT_EXAMPLES_DATA "/ba1_n49_m7776_p31843.txt",
                         kLstmFile = JOT_BENCH_DATA "/lstm_l2_c1024.txt";

}  // namespace bench
