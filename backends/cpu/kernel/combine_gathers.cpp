#include "backends/cpu/kernel/combine_gathers.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <vector>

namespace jot::cpu {
namespace {

struct Gather {
  uint32_t loop, base, index;
  KType type;
  int64_t offset;
  uint32_t position;
  auto row() const { return std::tuple(loop, base, index, type); }
  friend bool operator<(const Gather& a, const Gather& b) {
    return std::tuple(a.row(), a.offset, a.position) < std::tuple(b.row(), b.offset, b.position);
  }
};

// The argument that a pointer starts from, kNone if it is not known.
uint32_t argument(const Kernel& k, uint32_t pointer) {
  while (k.instrs[pointer].op == KOp::iadd || k.instrs[pointer].op == KOp::isub) pointer = k.instrs[pointer].a;
  return k.instrs[pointer].op == KOp::arg ? static_cast<uint32_t>(k.instrs[pointer].imm) : kNone;
}

// Gathers that may move to an earlier place in their loop, sorted by row and offset.
std::vector<Gather> find(const Kernel& k) {
  std::vector<Gather> found;
  std::vector<char> stored(static_cast<size_t>(k.num_args), 0);
  std::vector<uint32_t> open = {kNone};
  for (uint32_t i = 0; i < k.instrs.size(); ++i) {
    const KInstr& in = k.instrs[i];
    if (is_loop(in.op)) open.push_back(i);
    if (in.op == KOp::endloop) open.pop_back();
    if (in.op >= KOp::store && in.op <= KOp::store_one) {
      const uint32_t a = argument(k, in.a);
      if (a == kNone) return {};
      stored[a] = 1;
    }
    if (in.op == KOp::gather && in.type != KType::mask && in.memory == KMem::own && k.instrs[in.c].op != KOp::var &&
        argument(k, in.a) != kNone)
      found.push_back({open.back(), in.a, in.c, in.type, in.imm, i});
  }
  std::erase_if(found, [&](const Gather& g) { return stored[argument(k, g.base)] != 0; });
  std::sort(found.begin(), found.end());
  return found;
}

// A load_rows to be: `count` elements from `offset` on.
struct Row {
  int64_t offset;
  uint16_t count;
};

class Combine {
 public:
  explicit Combine(const Kernel& k) : k_(k) {
    if (k.lanes == 1) return;
    const std::vector<Gather> found = find(k);
    for (size_t first = 0; first < found.size();) {
      // A run of neighbours; the same element may be read twice.
      size_t end = first + 1;
      const int bytes = bytes_of(found[first].type);
      while (end < found.size() && found[end].row() == found[first].row() &&
             found[end].offset - found[end - 1].offset <= bytes &&
             (found[end].offset - found[first].offset) % bytes == 0)
        ++end;
      run(std::span(found).subspan(first, end - first));
      first = end;
    }
  }

  std::optional<Kernel> result(std::vector<uint32_t>& from) const {
    if (rows_.empty()) return std::nullopt;
    Kernel out{.lanes = k_.lanes, .num_args = k_.num_args, .instrs = {}, .lists = k_.lists, .origins = {}};
    out.instrs.reserve(k_.instrs.size() + 16);
    std::vector<uint32_t> map(k_.instrs.size(), kNone), first(rows_.size(), kNone);
    from.clear();
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      KInstr in = k_.instrs[i];
      rename(in, map);
      const uint32_t r = row_of_.empty() ? kNone : row_of_[i];
      if (r == kNone) {
        map[i] = static_cast<uint32_t>(out.instrs.size());
        out.instrs.push_back(in);
        from.push_back(i);
        continue;
      }
      const Row& row = rows_[r];
      if (first[r] == kNone) {
        first[r] = static_cast<uint32_t>(out.instrs.size());
        out.instrs.push_back(
            {.op = KOp::load_rows, .type = in.type, .aux = row.count, .a = in.a, .c = in.c, .imm = row.offset});
        for (uint16_t j = 1; j < row.count; ++j)
          out.instrs.push_back({.op = KOp::row, .type = in.type, .a = first[r], .imm = j});
        from.resize(out.instrs.size(), i);
      }
      map[i] = first[r] + static_cast<uint32_t>((in.imm - row.offset) / bytes_of(in.type));
    }
    for (uint32_t& v : out.lists) v = map[v];
    return out;
  }

 private:
  static void rename(KInstr& in, const std::vector<uint32_t>& map) {
    for (uint32_t* v : {&in.a, &in.b, &in.c})
      if (*v != kNone) *v = map[*v];
    if (in.d != kNone && in.op != KOp::store_rows) in.d = map[in.d];
  }

  // Pieces of at most 32 bytes: more values at once than registers hold would have to be stored again.
  void run(std::span<const Gather> gathers) {
    const int bytes = bytes_of(gathers.front().type), least = 16 / bytes, most = 32 / bytes;
    int64_t at = gathers.front().offset, left = (gathers.back().offset - at) / bytes + 1;
    size_t next = 0;
    while (left >= least) {
      const auto count =
          static_cast<int>(left > most && left < most + least ? left - least : std::min<int64_t>(left, most));
      const auto row = static_cast<uint32_t>(rows_.size());
      rows_.push_back({at, static_cast<uint16_t>(count)});
      if (row_of_.empty()) row_of_.assign(k_.instrs.size(), kNone);
      for (; next < gathers.size() && gathers[next].offset < at + count * bytes; ++next)
        row_of_[gathers[next].position] = row;
      at += count * bytes;
      left -= count;
    }
  }

  const Kernel& k_;
  std::vector<Row> rows_;
  std::vector<uint32_t> row_of_;  // of each instruction
};

}  // namespace

std::optional<Kernel> combine_gathers(const Kernel& kernel, std::vector<uint32_t>& from) {
  return Combine(kernel).result(from);
}

}  // namespace jot::cpu
